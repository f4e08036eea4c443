// UDP echo client: sends numbered messages and tells which did not return.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node udp-echo/node/client.js
//     node udp-echo/node/client.js --count 100 --every 10

import { address, args, wholeNumber } from '../../common/node/args.js'
import { error, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'
import { connect, isRefusal } from './datagrams.js'
import { Ledger } from './ledger.js'

const ADVICE = 'is the server there? node udp-echo/node/server.js'
const { address: server, message, wait, ...rest } = args(
  'Sends numbered messages to a UDP echo server and counts what comes back.', {
    address: {
      positional: true,
      default: '127.0.0.1:8888',
      help: 'Where the server listens',
      parse: address,
    },
    message: {
      value: 'TEXT',
      default: 'hello',
      help: 'What to send, behind its number',
    },
    ...pace,
    wait: {
      value: 'MS',
      default: '1000',
      help: 'Milliseconds after which an echo counts as lost',
      parse: text => wholeNumber(text, 0, 65535),
    },
  })
const there = `${server.host}:${server.port}`
const failed = what => {
  error(`Error: ${what}`)
  process.exit(1)
}

// 1. "Connect". Nothing is sent for it, and nobody answers: it only tells
//    this system whose datagrams we want, and to report refusals.
const socket = await connect(server)
  .catch(({ message }) => failed(`connect to ${there}: ${message}`))
const ledger = new Ledger(message, wait)
let allSent = false
let finished = false
let timer

// 2. Print what comes back: in any order, or twice.
socket.on('message', bytes => {
  line(`${ledger.hear(bytes)}: ${shown(bytes)}`)
  watch()
})
socket.on('error', problem => tell(problem, 'receive'))

// 3. Whatever does not come back in time is lost. Nobody tells us: that no
//    echo came is all there is to know.
function watch() {
  clearTimeout(timer)
  if (ledger.isSettled) return allSent && !finished && finish()
  const left = Math.max(0, ledger.deadline - performance.now())
  // What has arrived is not lost, however late it is read: Node reads it
  // between the timers and the immediates.
  timer = setTimeout(() => { timer = setImmediate(giveUp) }, left)
}

function giveUp() {
  while (ledger.deadline <= performance.now()) {
    line(`lost: ${shown(ledger.giveUp())}`)
  }
  watch()
}

// 4. Send, now and at every tick, until that was all or Ctrl-C.
async function say() {
  for await (const _ of ticks(rest, stop)) {
    const text = ledger.send()
    line(`send: ${shown(text)}`)
    send(text)
    watch()
  }
  allSent = true
  watch()
}
say()

function send(text) {
  // Sent is not arrived. A refusal that is reported here was the answer to
  // an earlier datagram: send this one again.
  socket.send(text, problem => {
    if (!problem) return
    tell(problem, `send ${Buffer.byteLength(text)} bytes (IPv4 takes 65507)`)
    socket.send(text, () => {})
  })
}

/**
 * Goes on when nobody listens there: the server may yet be started, and a
 * client without a connection cannot lose it.
 */
function tell(problem, what) {
  if (!isRefusal(problem)) failed(`${what}: ${problem.message}`)
  error(`${there}: ${problem.message}; ${ADVICE}`)
}

// After Ctrl-C, no echo is waited for longer than half a second.
stop.addEventListener('abort', () => {
  ledger.hurry(500)
  watch()
})

// 5. The summary.
function finish() {
  finished = true
  socket.close()
  line(`${ledger}`)
  if (!ledger.missing) return
  // Not process.exit(): what a slow reader has not taken would be lost.
  error(`Error: ${ledger.missing}`)
  process.exitCode = 1
}
