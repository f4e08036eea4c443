// Pipe echo client: sends hello every three seconds and prints the echo.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node pipe-echo/node/server.js             # in a first terminal
//     node pipe-echo/node/client.js
//
// Try this: stop the server while the client runs.

import { once } from 'node:events'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { args } from '../../common/node/args.js'
import { Decoder, fail, line } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { DEFAULT_PATH, checked } from './path.js'

const { path, message, ...timing } = args(
  'Sends messages to a pipe echo server and prints what comes back.', {
    path: {
      positional: true,
      default: DEFAULT_PATH,
      help: 'Where the server listens',
      parse: checked, // refuses what Node would take for another path
    },
    message: { value: 'TEXT', default: 'hello', help: 'What to send' },
    ...pace, // --every and --count
  })
const ADVICE = 'start the server first: node pipe-echo/node/server.js'
let sent = 0
let received = 0

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Connect.
  const socket = connect({ path })
  await once(socket, 'connect').catch(({ message }) => {
    throw Error(`connect to ${path}: ${message}; ${ADVICE}`)
  })
  line('connected.')

  // 2. Send and receive at the same time. If both sides only wrote, all
  //    buffers would fill up and each would wait for the other: a deadlock.
  const closed = new AbortController()
  send(socket, closed.signal).catch(error => socket.destroy(error))
  await receive(socket).catch(({ message }) => {
    throw Error(`talk to ${path}: ${message}`) // "read ECONNRESET"
  })
  closed.abort() // ends send(); Rust's select! does so by dropping it

  // 3. The server has closed, or all is back. Did everything come back?
  line('disconnected.')
  if (received !== sent) {
    throw Error(`${received} of ${sent} bytes came back`)
  }
}

// 4. Sends the message at each tick, until the last one or Ctrl-C.
async function send(socket, signal) {
  const write = promisify(socket.write).bind(socket) // returns a promise
  for await (const _ of ticks(timing, signal)) {
    line(`send: ${message}`)
    sent += Buffer.byteLength(message)
    // Back-pressure: this waits while the server does not read.
    await write(message)
  }
  // Half-close: tells the server that nothing more will come, and leaves the
  // other direction open, so that the last echo still arrives. On Windows it
  // would close both directions: see step 5.
  if (process.platform !== 'win32') socket.end()
}

// 5. Receives and prints what comes back, until the server closes, or until
//    all is back. A named pipe of Windows has no half-close: there, the server
//    does not learn that nothing more will come, so this side has to count.
async function receive(socket) {
  const all = (timing.count ?? Infinity) * Buffer.byteLength(message)
  const decoder = new Decoder()
  // A pipe has no framing: one piece may hold half a "hello". The decoder
  // keeps half a character until the rest arrives.
  for await (const bytes of socket) {
    received += bytes.length
    line(`receive: ${decoder.decode(bytes)}`)
    if (received >= all) break
  }
}
