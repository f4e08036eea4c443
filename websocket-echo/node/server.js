// WebSocket echo server: sends back each message that a client sends.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js, or the page.
//
//     node websocket-echo/node/server.js
//     node websocket-echo/node/client.js          # in a second terminal
//
// Try this: open http://127.0.0.1:8888 in a browser.

import { once, on } from 'node:events'
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import {
  address, args, shownAddress, wholeNumber,
} from '../../common/node/args.js'
import { error, fail, line } from '../../common/node/log.js'
import { missing } from '../../common/node/packages.js'
import { stopped } from '../../common/node/shutdown.js'
import {
  accessFlags, allowOwnPages, refuse, reply, status,
} from './access.js'
import { limits, shown } from './limits.js'

const { WebSocketServer } = await import('ws').catch(missing)

const { address: { host, port }, limit, heartbeat, ...access } = args(
  'Sends back each message that a client sends.', {
    address: {
      positional: true,
      default: '127.0.0.1:8888',
      help: 'Where to listen; 0.0.0.0:8888 opens it to other computers',
      parse: address,
    },
    limit: {
      value: 'BYTES',
      default: '1048576',
      help: 'The longest message, in bytes',
      parse: text => wholeNumber(text, 0),
    },
    heartbeat: {
      value: 'MS',
      default: '10000',
      help: 'Milliseconds of silence after which to ping a client',
      parse: text => wholeNumber(text, 1),
    },
    ...accessFlags, // --origin and --token
  })

// The subprotocol that this server speaks: what the messages mean.
const PROTOCOL = 'echo.v1'

// How long a client may take to close, after we have; milliseconds.
const CLOSE_TIMEOUT = 1000

const webSockets = new WebSocketServer({
  noServer: true, // the handshake begins in upgrade()
  handleProtocols: offered => offered.has(PROTOCOL) ? PROTOCOL : false,
  closeTimeout: CLOSE_TIMEOUT,
  ...limits(limit), // the longest message
})

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Listen. Pages that this server serves itself may connect.
  const server = createServer()
  server.listen({ host, port }) // HTTP's sockets send small writes at once
  await once(server, 'listening')
  const own = shownAddress(server.address())
  allowOwnPages(access, own)
  line(`listening on ${own}`)

  // 2. Accept clients until Ctrl-C. Node does so by itself, where Rust spawns
  //    a task for each.
  serve(server)
  await stopped // by Ctrl-C and SIGTERM

  // 3. Stop: accept nobody else, and close each connection: step 11.
  server.close()
  for (const socket of webSockets.clients) close(socket, 1001)
}

// 4. Serves one connection, which begins as HTTP: Node reads a request, and
//    calls answer(), or upgrade() where the client wants another protocol.
function serve(server) {
  server.on('request', answer)
  server.on('upgrade', upgrade)
}

// 5. Answers an HTTP request. A client that may not connect must be told now:
//    403 for a page of another site, 401 without the token. After the upgrade,
//    there is no HTTP status any more. What asks for no WebSocket gets the
//    page, or 426.
function answer(request, response) {
  reply(response, status(access, request))
}

// 6. Upgrades the connection from HTTP to WebSocket: the handshake.
function upgrade(request, socket, head) {
  const code = status(access, request)
  if (code !== 101) return refuse(request, socket, code)
  // `ws` sends the accept key, a hash of the client's key: it shows that we
  // speak WebSocket, and that no cache has answered. The client offers a list
  // of subprotocols, and `handleProtocols` above chooses one or none.
  webSockets.handleUpgrade(request, socket, head, talk)
}

// 7. Talks with one client, until it closes the connection or we do.
async function talk(socket) {
  line('socket connected')
  try {
    await echo(socket)
  } catch ({ message }) {
    error(`socket: ${message}`)
  }
  line('socket disconnected')
}

// 8. Sends back each message, until the client closes the connection.
async function echo(socket) {
  const send = promisify(socket.send).bind(socket) // returns a promise
  for await (const [message, isBinary] of receive(socket)) {
    const text = shown(message, isBinary)
    line(`receive: ${text}`)

    // 9. Send. Back-pressure: this waits while the client does not read, and
    //    meanwhile we read nothing from it. Our memory stays bounded.
    await send(message, { binary: isBinary })
    line(`send: ${text}`)
  }
}

// 10. Receives: one message is one message, in however many fragments and reads
//     it arrives. Heartbeat: after a time of silence, ping. A client that does
//     not answer within the same time again is frozen or unreachable.
function receive(socket) {
  let isPinged = false
  const silence = setInterval(() => {
    if (isPinged) {
      error('socket: no pong')
      return socket.terminate()
    }
    socket.ping()
    isPinged = true
  }, heartbeat)
  const heard = () => {
    isPinged = false
    silence.refresh()
  }
  socket.on('message', heard)
  socket.on('pong', heard)
  socket.on('close', () => clearInterval(silence))
  // on() queues the messages that come while we send. With more than one in
  // its queue, it pauses the socket.
  return on(socket, 'message', {
    close: ['close'], // ends the loop
    highWaterMark: 1,
    lowWaterMark: 1,
  })
}

// 11. Closes: tells the client why; `ws` then waits until it closes too, for
//     CLOSE_TIMEOUT at most. After a client's mistake, `ws` closes by itself.
function close(socket, code) {
  socket.close(code)
}
