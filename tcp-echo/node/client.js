// TCP echo client: says hello every three seconds and prints the echo.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node tcp-echo/node/client.js
//     node tcp-echo/node/client.js 192.168.10.105:8888

import { once } from 'node:events'
import { connect } from 'node:net'
import { address, args } from '../../common/node/args.js'
import { Decoder, error, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'
import { Tally } from '../../common/node/tally.js'

const ADVICE = 'start the server first: node tcp-echo/node/server.js'
const { address: { host, port }, message, ...rest } = args(
  'Says hello to a TCP echo server and prints what comes back.', {
    address: {
      positional: true,
      default: '127.0.0.1:8888',
      help: 'Where the server listens',
      parse: address,
    },
    message: { value: 'TEXT', default: 'hello', help: 'What to send' },
    ...pace,
  })

// 1. Connect.
const socket = connect({ host, port, noDelay: true })
const closed = new AbortController()
let connected = false
socket.on('error', ({ code, message }) => {
  const what = message || code // empty where several addresses were tried
  error(connected ? `Error: socket: ${what}`
    : `Error: connect to ${host}:${port}: ${what}; ${ADVICE}`)
  process.exitCode = 1
})
stop.addEventListener('abort', () => connected || process.exit())

// 2. Send, now and at every tick, until that was all or Ctrl-C.
const tally = new Tally(message)
socket.on('connect', async () => {
  connected = true
  line('connected.')
  for await (const _ of ticks(rest, closed.signal)) {
    line(`send: ${shown(message)}`)
    tally.sent()
    // false: the server does not read. Wait, or the queue grows without
    // end.
    if (!socket.write(message)) await drained()
  }
  // Says "that was all" and leaves the other direction open, so the last
  // echo still arrives.
  socket.end()
})

function drained() {
  // Or closed: then there is nothing to wait for.
  return once(socket, 'drain', { signal: closed.signal }).catch(() => {})
}

// 3. Print what comes back, until the server closes.
const decoder = new Decoder()
socket.on('data', bytes => {
  // One 'data' is not one message: it may hold half a "hello".
  line(`receive: ${decoder.decode(bytes)}`)
  if (!tally.received(bytes)) socket.destroy(Error('this is not what was sent'))
})

// 4. The server has closed.
socket.on('end', () => {
  decoder.finish(rest => line(`receive: ${rest}`))
  line('disconnected.')
})
socket.on('close', failed => {
  closed.abort()
  if (failed || !tally.missing) return
  error(`Error: ${tally.missing}`)
  process.exitCode = 1
})
