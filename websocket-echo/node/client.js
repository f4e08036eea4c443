// WebSocket echo client: sends hello every three seconds, prints the echo.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node websocket-echo/node/server.js          # in a first terminal
//     node websocket-echo/node/client.js
//
// Try this: stop the server while the client runs, and start it again.

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { args } from '../../common/node/args.js'
import { error, fail, line } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { missing } from '../../common/node/packages.js'
import { stop } from '../../common/node/shutdown.js'
import { withToken } from './access.js'
import { giveUp } from './closing.js'
import { receive } from './heartbeat.js'
import { limits, shown } from './limits.js'

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

// How long connecting may take, the handshake included; milliseconds.
const CONNECT_TIMEOUT = 10_000

// The silence after which to ping the server; milliseconds.
const HEARTBEAT = 10_000

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
    inFlight = 0
    const code = await talk(socket).catch(giveUp) // prints the error
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
    handshakeTimeout: CONNECT_TIMEOUT,
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
      const wait = pause * (0.5 + Math.random() / 2)
      await sleep(wait, undefined, { signal: stop })
      return await connect()
    } catch ({ message }) {
      if (!stop.aborted) error(message)
    }
    pause = Math.min(2 * pause, 5000)
  }
}

// 6. Talks until the connection ends: sends the message at each tick, and waits
//    until it has come back. Returns the close code.
async function talk(socket) {
  const messages = receive(socket, HEARTBEAT)
  const closed = new AbortController()
  let code
  socket.on('close', given => {
    code = given
    closed.abort() // ends the ticks
  })
  // Wait for the next tick. Meanwhile, `ws` reads, and answers pings.
  for await (const _ of ticks({ every, count: left }, closed.signal)) {
    // 7. Send. There is no need to wait for back-pressure: no second message is
    //    sent before the first one is back.
    line(`send: ${message}`)
    left -= 1
    inFlight = 1
    socket.send(message)

    // 8. Receive. A Close frame ends the connection: `ws` has answered it.
    const { done, value } = await messages.next()
    if (done) break
    line(`receive: ${shown(...value)}`)
    inFlight = 0
  }

  // 9. Close. There is no half-close: after a Close frame, a side sends nothing
  //    more. By now, everything has come back. 1000: all is well.
  socket.close(1000)
  for await (const _ of messages); // until the connection ends
  return code
}

// Can it help to reconnect? The server is about to stop (1001), the connection
// was lost (1006), or the server has a fault of its own.
function isTemporary(code) {
  return [1001, 1006, 1011, 1012, 1013].includes(code)
}
