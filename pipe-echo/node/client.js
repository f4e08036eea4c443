// Pipe echo client: says hello every three seconds and prints the echo.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node pipe-echo/node/client.js
//     node pipe-echo/node/client.js ./my.sock

import { once } from 'node:events'
import { args } from '../../common/node/args.js'
import { Decoder, error, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { DEFAULT_PATH, WINDOWS, connect } from '../../common/node/pipe.js'
import { stop } from '../../common/node/shutdown.js'
import { Tally } from '../../common/node/tally.js'

const ADVICE = 'start the server first: node pipe-echo/node/server.js'
const { path, message, ...rest } = args(
  'Says hello to a pipe echo server and prints what comes back.', {
    path: {
      positional: true,
      default: DEFAULT_PATH,
      help: 'Where the server listens',
    },
    message: { value: 'TEXT', default: 'hello', help: 'What to send' },
    ...pace,
  })

// 1. Connect.
const socket = connect(path)
const closed = new AbortController()
let connected = false
socket.on('error', ({ message }) => {
  error(connected ? `Error: socket: ${message}`
    : `Error: connect to ${path}: ${message}; ${ADVICE}`)
  process.exitCode = 1
})
stop.addEventListener('abort', () => connected || process.exit())

// 2. Send, now and at every tick, until that was all or Ctrl-C. Ends when
//    all came back.
const tally = new Tally(message)
let said = false
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
  // echo still arrives. A Windows pipe cannot be closed by half: there it
  // would close both, and counting what came back is the only way.
  said = true
  if (!WINDOWS) socket.end()
  if (!tally.missing) socket.destroySoon()
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
  if (said && !tally.missing) socket.destroySoon()
})

// 4. All came back, or the server has closed.
socket.on('close', failed => {
  closed.abort()
  if (failed || !connected) return
  decoder.finish(rest => line(`receive: ${rest}`))
  line('disconnected.')
  if (!tally.missing) return
  error(`Error: ${tally.missing}`)
  process.exitCode = 1
})
