// A parent that gives the same work to a Rust worker and to a Node worker.
//
//     cargo build -p node-channel --example compute --release
//     node node-channel/examples/compute.js target/release/examples/compute

import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const UP_TO = 1_000_000
const PART = 10_000

if (process.send) work()
else await compare()

// The parent: each worker alone, or they would share the processor's cores.
async function compare() {
  const program = process.argv[2] ?? 'target/release/examples/compute'
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc']
  const start = {
    'Rust, all cores': () => spawn(program, { stdio }),
    'Node, one thread': () => fork(fileURLToPath(import.meta.url)),
  }
  for (const [name, startWorker] of Object.entries(start)) {
    const worker = startWorker()
    // The time to start a program is not what is compared.
    await count(worker, PART)
    const begun = performance.now()
    const primes = await count(worker, UP_TO)
    const ms = performance.now() - begun
    console.log(`${name}: ${primes} primes in ${ms.toFixed(0)} ms`)
    worker.disconnect()
    await once(worker, 'exit')
  }
}

// Sends all jobs at once, and adds up what comes back.
function count(worker, upTo) {
  return new Promise((resolve, reject) => {
    let primes = 0
    let left = upTo / PART
    for (let from = 0; from < upTo; from += PART) {
      worker.send({ from, to: from + PART })
    }
    worker.on('message', onMessage)
    worker.once('error', reject)
    worker.once('exit', onExit)

    function onMessage(done) {
      primes += done.primes
      left -= 1
      if (left > 0) return
      worker.off('message', onMessage).off('error', reject).off('exit', onExit)
      resolve(primes)
    }
    function onExit(code) {
      reject(Error(`the worker ended with ${code}`))
    }
  })
}

// The Node worker: the same, one job after the other.
function work() {
  process.on('message', ({ from, to }) => {
    let primes = 0
    for (let number = from; number < to; number++) primes += isPrime(number)
    process.send({ from, primes })
  })
}

function isPrime(number) {
  for (let by = 2; by * by <= number; by++) if (number % by === 0) return false
  return number > 1
}
