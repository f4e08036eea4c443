// WebSocket echo server: sends back each message that a client sends.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js, or the page.
//
//     node websocket-echo/node/server.js
//     node websocket-echo/node/client.js          # in a second terminal
//
// Try this: open http://127.0.0.1:8888 in a browser.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import {
  address, args, shownAddress, wholeNumber,
} from '../../common/node/args.js'
import { fail, line } from '../../common/node/log.js'
import { missing } from '../../common/node/packages.js'
import { stopped } from '../../common/node/shutdown.js'
import {
  accessFlags, allowOwnPages, refuse, reply, status,
} from './access.js'
import { giveUp } from './closing.js'
import { receive } from './heartbeat.js'
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

const webSockets = new WebSocketServer({
  noServer: true, // the handshake begins in answer()
  handleProtocols: offered => offered.has(PROTOCOL) ? PROTOCOL : false,
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

  // 3. Stop: accept nobody else, and close each connection. 1001: going away.
  server.close()
  for (const socket of webSockets.clients) socket.close(1001)
}

// 4. Serves one connection, which begins as HTTP: Node reads a request, and
//    calls answer() where the client wants another protocol.
function serve(server) {
  server.on('upgrade', answer)
  server.on('request', (request, response) => {
    reply(response, status(access, request)) // 200 with the page, or 426
  })
}

// 5. Answers a request. A client that may not connect must be told now: after
//    the upgrade, there is no HTTP status any more.
function answer(request, socket, head) {
  const code = status(access, request)
  if (code !== 101) return refuse(request, socket, code) // 401, 403 or 426

  // 6. Upgrade the connection to WebSocket: the handshake. The answer is 101,
  //    with a hash of the client's key: it shows that we speak WebSocket, and
  //    that no cache has answered. The client offers a list of subprotocols,
  //    and `handleProtocols` above chooses one or none.
  webSockets.handleUpgrade(request, socket, head, talk)
}

// 7. Talks with one client, until it closes the connection or we do.
async function talk(socket) {
  line('socket connected')
  try {
    await echo(socket)
  } catch (failure) {
    giveUp(failure) // prints it; `ws` has told the client why
  }
  line('socket disconnected')
}

// Sends back each message, until the client closes the connection.
async function echo(socket) {
  const send = promisify(socket.send).bind(socket) // returns a promise
  // 8. Receive. One message is one message, in however many fragments and reads
  //    it arrives. Heartbeat: after a time of silence, receive() pings, and
  //    terminates the connection where no pong comes.
  for await (const [message, isBinary] of receive(socket, heartbeat)) {
    const text = shown(message, isBinary)
    line(`receive: ${text}`)

    // 9. Send. Back-pressure: this waits while the client does not read, and
    //    meanwhile we read nothing from it. Our memory stays bounded.
    //    (receive() gives up a client that does not read, too: it cannot hear
    //    a client from which nothing is read. In Rust, the limit stands here.)
    await send(message, { binary: isBinary })
    line(`send: ${text}`)
  }
}
