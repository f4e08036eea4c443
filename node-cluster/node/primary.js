// Primary: starts workers that share one port, replaces one that crashes, and
// as a client asks them who serves.
//
// Only Node has a primary. Other half: worker.js, or its Rust twin
// ../src/bin/worker.rs; both are started from here.
//
//     node node-cluster/node/primary.js
//     cargo build -p node-cluster --bin worker
//     node node-cluster/node/primary.js --mixed -- target/debug/worker
//
// Try this: in a second terminal, `pkill -9 -nf /worker` kills one worker.

import cluster from 'node:cluster'
import { once } from 'node:events'
import { connect } from 'node:net'
import { relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { args, wholeNumber } from '../../common/node/args.js'
import { error, fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { requestStop, stop } from '../../common/node/shutdown.js'

const { address, workers, shared, mixed, program, message, ...timing } = args(
  'Starts workers that share one port, and asks them who serves.', {
    address: {
      positional: true,
      default: '127.0.0.1:0',
      help: 'Where to listen; port 0: one that the system chooses',
    },
    workers: {
      value: 'N',
      default: '2',
      help: 'How many workers',
      parse: text => wholeNumber(text, 1, 1000),
    },
    shared: { help: 'Share the listening socket, in place of round robin' },
    mixed: { help: 'Every second worker is worker.js, whatever the program' },
    message: { value: 'TEXT', default: 'hello', help: 'What to send' },
    ...pace, // --every and --count
    program: {
      rest: true,
      help: 'The program of the workers in place of worker.js; its arguments',
    },
  })

const NODE = process.execPath
const WORKER = fileURLToPath(new URL('worker.js', import.meta.url))

// How long to wait before a worker that has crashed is replaced, in ms.
const RESTART_PAUSE = 200
// How long workers may take to end, before they are killed.
const END_TIMEOUT = 1000
// How long a client waits for an answer.
const ANSWER_TIMEOUT = 2000

const running = new Map() // each worker, with a promise of how it ended
let listening // where the workers listen; the first one tells us

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Choose who accepts. Round robin: this process accepts each client, and
  //    hands the connected socket to the next worker. Shared: all workers have
  //    the listening socket itself, and the first one that is free accepts.
  cluster.schedulingPolicy = shared ? cluster.SCHED_NONE : cluster.SCHED_RR

  // 2. Start the workers, one after the other. The first one that asks for the
  //    port has this process open it.
  for (let slot = 0; slot < workers && !stop.aborted; slot += 1) {
    await start(slot)
  }
  if (!stop.aborted) line(`listening on ${listening.address}:${listening.port}`)

  // 3. Be a client, until the last message or Ctrl-C.
  await talk()

  // 4. Stop: have all workers leave. Each one ends when it has served those who
  //    are connected; after END_TIMEOUT in any case.
  requestStop() // as by Ctrl-C: no worker is replaced from now on
  for (const worker of running.keys()) {
    if (worker.isConnected()) worker.disconnect()
  }
  setTimeout(() => {
    for (const worker of running.keys()) worker.process.kill('SIGKILL')
  }, END_TIMEOUT).unref()
  for (const ended of running.values()) line(await ended)
}

// 5. Starts a worker, and waits until it listens: a child with a channel (see
//    fork-ipc), and a number in NODE_UNIQUE_ID. It asks for the port by itself.
async function start(slot) {
  const isOwn = program.length === 0 || (mixed && slot % 2 === 1)
  const [exec, ...rest] = isOwn ? [WORKER] : program
  cluster.setupPrimary({ exec, args: [...rest, address], execArgv: [] })
  // fork() runs process.execPath, which is Node, with `exec` as its script. It
  // has no option for a program that is no script: so that is set here.
  process.execPath = /\.[cm]?js$/.test(exec) ? NODE : exec
  const worker = cluster.fork()
  if (mixed) line(`worker ${worker.id} runs ${relative('', exec)}`)
  worker.on('online', () => line(`worker ${worker.id} online`))
  worker.on('listening', where => {
    listening = where
    line(`worker ${worker.id} listening`)
  })
  worker.on('error', () => {}) // it ended before we could send to it
  const ended = new Promise(resolve => {
    worker.on('exit', (code, signal) => {
      const how = signal
        ? `was killed by ${signal}`
        : `exited with code ${code}`
      resolve(`worker ${worker.id} ${how}`)
    })
  })
  running.set(worker, ended)
  await Promise.race([once(worker, 'listening'), ended])
  // One that cannot listen ends the primary: the next would fare no better.
  if (worker.isDead() && !stop.aborted) throw Error(await ended)
  replace(worker, slot).catch(fail) // not awaited: it waits for the end
}

// 6. Replaces a worker when it ends, unless it has left on purpose, or after
//    Ctrl-C. A crash costs the clients of that worker, and nobody else's.
async function replace(worker, slot) {
  const ended = await running.get(worker)
  if (stop.aborted) return // step 4 says how it ended
  error(ended)
  running.delete(worker)
  if (worker.exitedAfterDisconnect) return
  await sleep(RESTART_PAUSE)
  if (!stop.aborted) await start(slot)
}

// 7. Connects at each tick, as any client does, and prints the answer.
async function talk() {
  for await (const _ of ticks(timing, stop)) {
    const { address: host, port } = listening
    const socket = connect({ host, port })
    // Where the worker dies before it has accepted the client, Node keeps the
    // connection open, and nobody answers.
    socket.setTimeout(ANSWER_TIMEOUT, () => socket.destroy(Error('no answer')))
    socket.end(message)
    try {
      line(`receive: ${shown(await text(socket))}`)
    } catch (failure) {
      error(`ask a worker: ${failure.message || failure.code}`)
    }
  }
}
