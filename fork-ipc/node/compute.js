// A parent that gives the same work to a Rust worker and to a Node worker.
//
//     cargo build -p fork-ipc --bins --release
//     node fork-ipc/node/compute.js target/release/compute

import { fork, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const UP_TO = 200_000
const PART = 10_000

/** Sends all jobs at once, and adds up what comes back. */
function count(worker) {
  const begun = performance.now()
  return new Promise((resolve, reject) => {
    let primes = 0
    let left = UP_TO / PART
    for (let from = 0; from < UP_TO; from += PART) {
      worker.send({ from, to: from + PART })
    }
    worker.on('message', done => {
      primes += done.primes
      left -= 1
      if (left > 0) return
      worker.disconnect()
      resolve({ primes, ms: performance.now() - begun })
    })
    worker.on('error', reject)
    worker.on('exit', code => reject(Error(`the worker ended with ${code}`)))
  })
}

function isPrime(number) {
  for (let by = 2; by * by <= number; by++) if (number % by === 0) return false
  return number > 1
}

if (process.send) {
  // The Node worker: the same, one job after the other.
  process.on('message', ({ from, to }) => {
    let primes = 0
    for (let number = from; number < to; number++) primes += isPrime(number)
    process.send({ from, primes })
  })
} else {
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc']
  const workers = {
    Rust: spawn(process.argv[2] ?? 'target/debug/compute', { stdio }),
    Node: fork(fileURLToPath(import.meta.url)),
  }
  for (const [name, worker] of Object.entries(workers)) {
    const { primes, ms } = await count(worker)
    console.log(`${name}: ${primes} primes in ${ms.toFixed(0)} ms`)
  }
}
