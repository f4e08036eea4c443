// WebSocket echo server: sends back each message that a client sends.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js, or the page.
//
//     node websocket-echo/node/server.js
//     node websocket-echo/node/client.js          # in a second terminal
//
// Try this: open http://127.0.0.1:8888 in a browser.

import { once, on } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, STATUS_CODES } from 'node:http'
import { promisify } from 'node:util'
import {
  address, args, shownAddress, wholeNumber,
} from '../../common/node/args.js'
import { error, fail, line } from '../../common/node/log.js'
import { missing } from '../../common/node/packages.js'
import { stop } from '../../common/node/shutdown.js'
import { limits, shown } from './limits.js'

const { WebSocketServer } = await import('ws').catch(missing)

const { address: { host, port }, origin: origins, token, limit, heartbeat } =
  args('Sends back each message that a client sends.', {
    address: {
      positional: true,
      default: '127.0.0.1:8888',
      help: 'Where to listen; 0.0.0.0:8888 opens it to other computers',
      parse: address,
    },
    origin: {
      value: 'URL',
      multiple: true,
      default: [],
      help: 'A site whose pages may connect, like https://example.org',
    },
    token: {
      value: 'FILE',
      help: 'A file with the token that clients must give; read for each',
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
  })

// The subprotocol that this server speaks: what the messages mean.
const PROTOCOL = 'echo.v1'

// How long a client may take for a request's headers; milliseconds.
const HEADER_TIMEOUT = 10_000

// How long a client may take to close, after we have.
const CLOSE_TIMEOUT = 1000

const PAGE = readFileSync(new URL('../page/index.html', import.meta.url))

const webSockets = new WebSocketServer({
  noServer: true, // the handshake begins in upgrade()
  handleProtocols: offered => offered.has(PROTOCOL) ? PROTOCOL : false,
  closeTimeout: CLOSE_TIMEOUT,
  ...limits(limit),
})

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Listen. Pages of this server itself may connect.
  const server = createServer({ connectionsCheckingInterval: 1000 })
  server.headersTimeout = HEADER_TIMEOUT
  server.listen({ host, port, noDelay: true })
  await once(server, 'listening')
  const own = shownAddress(server.address())
  origins.push(`http://${own}`)
  origins.push(`http://localhost:${server.address().port}`)
  line(`listening on ${own}`)

  // 2. Accept clients until Ctrl-C. Node does so by itself, where Rust spawns
  //    a task for each.
  serve(server)
  await once(stop, 'abort') // by Ctrl-C and SIGTERM

  // 3. Stop: accept nobody else, and let each connection close: step 12.
  server.close()
  for (const socket of webSockets.clients) close(socket, 1001)
}

// 4. Serves one connection: at first it speaks HTTP. Node calls answer() for
//    each request, and upgrade() where the client wants another protocol.
function serve(server) {
  server.on('request', answer)
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', ({ message }) => error(`socket: ${message}`))
    try {
      upgrade(request, socket, head)
    } catch ({ message }) {
      socket.destroy(Error(message))
    }
  })
}

// 5. Answers a request that is for no WebSocket: with the page, or with 426.
function answer(request, response) {
  const [path] = request.url.split('?')
  response.statusCode = path === '/' ? 200 : 426
  response.setHeader('content-type', 'text/html; charset=utf-8')
  response.setHeader('upgrade', 'websocket') // what else this server speaks
  response.end(path === '/' ? PAGE : 'this is a WebSocket server\n')
}

// 6. Upgrades to a WebSocket, or refuses. A refusal must come now: after the
//    upgrade, nobody can be told with an HTTP status.
function upgrade(request, socket, head) {
  const { origin, 'sec-websocket-key': key } = request.headers
  if (key === undefined) {
    return refuse(socket, 426, 'this is a WebSocket server\n')
  }
  // The same-origin policy does not apply to WebSockets: a browser lets the
  // page of any site connect, and only says which. Programs send no Origin.
  if (origin !== undefined && !origins.includes(origin)) {
    return refuse(socket, 403, 'not from this origin\n')
  }
  if (token !== undefined) {
    // A browser cannot add a header, so the token is in the URL.
    const field = `token=${readFileSync(token, 'utf8').trim()}`
    const [, query = ''] = request.url.split('?')
    if (field === 'token=' || !query.split('&').includes(field)) {
      return refuse(socket, 401, 'a token is required\n')
    }
  }

  // 7. The handshake. `ws` answers with a hash of the client's key, which
  //    shows that we speak WebSocket, and that no cache has answered.
  webSockets.handleUpgrade(request, socket, head, talk)
}

// 8. Talks with one client, until it closes the connection or we do.
async function talk(socket) {
  line('socket connected')
  try {
    await echo(socket)
  } catch ({ message }) {
    error(`socket: ${message}`)
  }
  line('socket disconnected')
}

// Sends back each message, until the client closes the connection.
async function echo(socket) {
  // 9. Heartbeat: after a time of silence, ping. A client that does not
  //    answer within the same time again is frozen or unreachable.
  let isPinged = false
  const silence = setInterval(() => {
    if (isPinged) {
      error('socket: no pong')
      return socket.terminate()
    }
    socket.ping()
    isPinged = true
  }, heartbeat)
  const alive = () => {
    isPinged = false
    silence.refresh()
  }
  socket.on('pong', alive)
  socket.on('close', () => clearInterval(silence))
  const send = promisify(socket.send).bind(socket) // returns a promise

  // 10. Receive. One message is one message, in however many fragments and
  //     reads it arrives. on() queues messages that come while we wait; with
  //     more than one in its queue, it reads no further (pause).
  const events = on(socket, 'message', {
    close: ['close'], // ends the loop
    highWaterMark: 1,
    lowWaterMark: 1,
  })
  for await (const [message, isBinary] of events) {
    alive()
    line(`receive: ${shown(message, isBinary)}`)

    // 11. Send. Back-pressure: this waits while the client does not read,
    //     and meanwhile we read nothing from it. Our memory stays bounded.
    await send(message, { binary: isBinary })
    line(`send: ${shown(message, isBinary)}`)
  }
}

// 12. Closes: tells the client why, and waits until it closes too. 1006 is
//     never sent: then the connection is terminated, without a word. Where
//     the client has done something wrong, `ws` does all this by itself.
function close(socket, code) {
  socket.close(code)
}

// Answers a request for an upgrade that is not made.
function refuse(socket, status, text) {
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n` +
    'Content-Type: text/plain\r\nConnection: close\r\n' +
    'Upgrade: websocket\r\n' + // what this server speaks
    `Content-Length: ${text.length}\r\n\r\n${text}`)
  socket.destroySoon()
}
