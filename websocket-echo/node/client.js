// WebSocket echo client: sends hello every three seconds, prints the echo.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node websocket-echo/node/server.js          # in a first terminal
//     node websocket-echo/node/client.js
//
// Try this: stop the server while the client runs, and start it again.

import { on, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { args } from '../../common/node/args.js'
import { error, fail, line } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { missing } from '../../common/node/packages.js'
import { stop } from '../../common/node/shutdown.js'
import { withToken } from './access.js'
import { closeCode, limits, shown } from './limits.js'

const { WebSocket } = await import('ws').catch(missing)

const { url, message, token, every, count } = args(
  'Sends messages to a WebSocket echo server and prints what comes back.', {
    url: {
      positional: true,
      default: 'ws://127.0.0.1:8888',
      help: 'Where the server listens',
    },
    message: { value: 'TEXT', default: 'hello', help: 'What to send' },
    token: {
      value: 'FILE',
      help: 'A file with the token that the server wants; ' +
        'read for each connection',
    },
    ...pace, // --every and --count
  })

// The subprotocol that we speak: what the messages mean.
const PROTOCOL = 'echo.v1'

// The longest message that we accept, in bytes.
const LIMIT = 1024 * 1024

// How long the server may be silent; milliseconds. It pings after ten seconds.
const SILENCE_TIMEOUT = 25_000

const ADVICE = 'start the server first: node websocket-echo/node/server.js'

let left = count // how many messages are still to be sent
let inFlight = 0 // 1 while a message is on its way

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Connect. The first time, it is an error when nobody is there: then no
  //    server was started.
  let socket = await connect()

  // 2. Talk until all is sent. When the connection ends before, reconnect,
  //    unless the server has closed it for a reason that will not go away.
  let lost = 0
  for (;;) {
    const code = await talk(socket)
    line(`disconnected: ${code}`)
    lost += inFlight
    const isOver = stop.aborted || left === 0
    if (isOver || !isTemporary(code)) break
    socket = await reconnect()
    if (socket === undefined) break // Ctrl-C
  }

  // 3. Did everything come back? A message that was on its way when the
  //    connection broke is lost: WebSocket does not send it again.
  if (lost > 0) {
    throw Error(`${lost} messages did not come back`)
  }
}

// 4. Connects: an HTTP request that asks for an upgrade, answered by a 101.
async function connect() {
  // The token is read each time: tokens expire, and a stale one is refused.
  // `ws` has disabled Nagle's algorithm: it sends small messages immediately.
  const socket = new WebSocket(withToken(url, token), PROTOCOL, {
    handshakeTimeout: SILENCE_TIMEOUT,
    ...limits(LIMIT),
  })
  await once(socket, 'open').catch(({ code, message }) => {
    // An error of the system has a code; a server that refuses has none. With
    // several addresses, only the code says what is wrong.
    const advice = code === undefined ? '' : `; ${ADVICE}`
    throw Error(`connect to ${url}: ${message || code}${advice}`)
  })
  line('connected.')
  return socket
}

// 5. Reconnects with exponential backoff: twice the pause each time, up to
//    five seconds; and with random jitter, so that clients do not all
//    reconnect at the same moment.
async function reconnect() {
  let pause = 500
  while (!stop.aborted) {
    try {
      await sleep(pause * (0.5 + Math.random()), undefined, { signal: stop })
      return await connect()
    } catch ({ message }) {
      if (!stop.aborted) error(message)
    }
    pause = Math.min(2 * pause, 5000)
  }
}

// 6. Talks: sends and receives at the same time, until the connection ends.
//    Returns the close code.
async function talk(socket) {
  inFlight = 0
  const closed = new AbortController()
  send(socket, closed.signal).catch(() => {}) // receive() learns why
  try {
    return await receive(socket)
  } catch (failure) {
    error(`socket: ${failure.message}`)
    return closeCode(failure) // `ws` has told the server what is wrong
  } finally {
    closed.abort() // ends send(); Rust's select! does so by dropping it
  }
}

// 7. Sends the message at each tick, until the last one or Ctrl-C, and waits
//    until it has come back.
async function send(socket, signal) {
  const write = promisify(socket.send).bind(socket) // returns a promise
  for await (const _ of ticks({ every, count: left }, signal)) {
    line(`send: ${message}`)
    left -= 1
    inFlight = 1
    const echoed = once(socket, 'message', { signal })
    // Back-pressure: this waits while the server does not read.
    await Promise.all([write(message), echoed])
  }
  // There is no half-close: after a Close frame, the server sends nothing more.
  // By now, everything has come back. 1000: all is well.
  socket.close(1000)
}

// 8. Receives and prints what comes back, until the connection ends. Returns
//    the close code.
async function receive(socket) {
  let code = 1006 // no Close frame came
  socket.on('close', given => { code = given })
  // Heartbeat: the server pings a silent client, so if nothing arrives, it is
  // frozen or unreachable.
  const silence = setTimeout(() => {
    error('socket: the server is silent')
    socket.terminate()
  }, SILENCE_TIMEOUT)
  socket.on('ping', () => silence.refresh())
  socket.on('message', () => silence.refresh())
  socket.on('close', () => clearTimeout(silence))
  const messages = on(socket, 'message', { close: ['close'] })
  for await (const [message, isBinary] of messages) {
    line(`receive: ${shown(message, isBinary)}`)
    inFlight = 0
  }
  return code
}

// Can it help to reconnect? The server is about to stop (1001), the connection
// was lost (1006), or the server has a fault of its own.
function isTemporary(code) {
  return [1001, 1006, 1011, 1012, 1013].includes(code)
}
