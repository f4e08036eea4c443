// WebSocket echo client: sends hello every three seconds, prints the echo.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node websocket-echo/node/server.js          # in a first terminal
//     node websocket-echo/node/client.js
//
// Try this: stop the server while the client runs, and start it again.

import { EventEmitter, on, once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { args, wholeNumber } from '../../common/node/args.js'
import { error, fail, line } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { missing } from '../../common/node/packages.js'
import { stop } from '../../common/node/shutdown.js'
import { closeCode, limits, shown } from './limits.js'

const { WebSocket } = await import('ws').catch(missing)

const { url, message, token, limit, timeout, every, count } = args(
  'Sends messages to a WebSocket echo server and prints what comes back.', {
    url: {
      positional: true,
      default: 'ws://127.0.0.1:8888',
      help: 'Where the server listens',
    },
    message: { value: 'TEXT', default: 'hello', help: 'What to send' },
    token: {
      value: 'FILE',
      help: 'A file with the token that the server wants; read each time',
    },
    limit: {
      value: 'BYTES',
      default: '1048576',
      help: 'The longest message to receive, in bytes',
      parse: text => wholeNumber(text, 0),
    },
    timeout: {
      value: 'MS',
      default: '25000',
      help: 'Milliseconds of silence after which the server is given up',
      parse: text => wholeNumber(text, 1),
    },
    ...pace, // --every and --count
  })

// The subprotocol that we speak: what the messages mean.
const PROTOCOL = 'echo.v1'

const ADVICE = 'start the server first: node websocket-echo/node/server.js'
const arrivals = new EventEmitter()
let left = count // how many messages are still to be sent
let sent = 0
let received = 0
let lost = 0

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Connect. The first time, it is an error when nobody is there: then no
  //    server was started.
  let socket = await connect().catch(failure => {
    throw isRefusal(failure) ? failure : Error(`${failure.message}; ${ADVICE}`)
  })

  // 2. Talk until all is sent. When the connection ends before, reconnect,
  //    unless the server has closed it for a reason that will not go away.
  for (;;) {
    const code = await talk(socket)
    line(`disconnected: ${code}`)
    const isDone = stop.aborted || left === 0
    if (isDone || !isTemporary(code)) break
    try {
      socket = await reconnect()
    } catch (failure) {
      if (stop.aborted) break // Ctrl-C
      throw failure
    }
  }

  // 3. Did everything come back? What was on its way in a connection that was
  //    lost is lost, too: WebSocket does not send it again.
  if (lost !== 0) {
    throw Error(`${lost} messages did not come back`)
  }
}

// 4. Connects: an HTTP request that asks for an upgrade, answered by a 101.
async function connect() {
  let address = url
  if (token !== undefined) {
    // Read each time: tokens expire, and a stale one is refused.
    const fresh = await readFile(token, 'utf8')
    address = `${url}/?token=${fresh.trim()}`
  }
  // `ws` has disabled Nagle's algorithm: it sends small messages immediately.
  const socket = new WebSocket(address, PROTOCOL, {
    handshakeTimeout: timeout,
    ...limits(limit),
  })
  await once(socket, 'open').catch(({ code, message }) => {
    throw Error(`connect to ${url}: ${message || code}`)
  })
  line('connected.')
  return socket
}

// 5. Reconnects with exponential backoff: twice the pause each time, up to
//    five seconds; and with random jitter, so that clients do not all
//    reconnect at the same moment. A refusal (HTTP's 4xx) ends it.
async function reconnect() {
  for (let pause = 500;; pause = Math.min(2 * pause, 5000)) {
    await sleep(pause * (0.5 + Math.random()), undefined, { signal: stop })
    try {
      return await connect()
    } catch (failure) {
      if (isRefusal(failure)) throw failure
      error(failure.message)
    }
  }
}

// 6. Talks: sends and receives at the same time, until the connection ends.
//    Returns the close code.
async function talk(socket) {
  sent = 0
  received = 0
  const closed = new AbortController()
  send(socket, closed.signal).catch(() => {}) // why, receive() will learn
  const code = await receive(socket)
  closed.abort() // ends send(); Rust's select! does so by dropping it
  lost += sent - received
  return code
}

// 7. Sends the message at each tick, until the last one or Ctrl-C.
async function send(socket, signal) {
  const write = promisify(socket.send).bind(socket) // returns a promise
  for await (const _ of ticks({ every, count: left }, signal)) {
    line(`send: ${message}`)
    left -= 1
    sent += 1
    // Back-pressure: this waits while the server does not read.
    await write(message)
  }
  // There is no half-close: after a Close frame, the server sends nothing more.
  // So close when everything has come back. 1000: all is well.
  while (received < sent) await once(arrivals, 'arrival', { signal })
  socket.close(1000)
}

// 8. Receives and prints what comes back, until the connection ends.
async function receive(socket) {
  // 1006: no Close frame came. It is never sent.
  let code = 1006
  socket.on('close', given => { code = given })
  // Heartbeat: the server pings a silent client, so if nothing arrives, it is
  // frozen or unreachable.
  const silence = setTimeout(() => {
    error('socket: the server is silent')
    socket.terminate()
  }, timeout)
  socket.on('ping', () => silence.refresh())
  try {
    const events = on(socket, 'message', { close: ['close'] })
    for await (const [message, isBinary] of events) {
      silence.refresh()
      received += 1
      arrivals.emit('arrival')
      line(`receive: ${shown(message, isBinary)}`)
    }
  } catch (failure) {
    error(`socket: ${failure.message}`)
    // The server sent what we do not accept: `ws` has told it.
    code = closeCode(failure) ?? code
  }
  clearTimeout(silence)
  return code
}

// Can it help to reconnect? The server is about to stop (1001), the connection
// was lost (1006), or the server has a trouble of its own.
function isTemporary(code) {
  return [1001, 1006, 1011, 1012, 1013].includes(code)
}

// Has the server answered, and refused? Then it will do so again.
function isRefusal({ message }) {
  return /: Unexpected server response: 4/.test(message)
}
