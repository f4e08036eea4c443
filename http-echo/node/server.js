// HTTP echo server: answers each request with the path that it asks for.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js, or curl.
//
//     node http-echo/node/server.js
//     curl -i http://127.0.0.1:8888/hello       # in a second terminal
//
// Try this: ask for the same page in a browser.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { address, args, shownAddress } from '../../common/node/args.js'
import { error, fail, line, shown } from '../../common/node/log.js'
import { stopped } from '../../common/node/shutdown.js'

// How long a client may take for a request's headers, how long it may wait
// between two requests, and how long it may pause within a body; milliseconds.
const TIMEOUT = 10_000

// The longest body that is accepted, in bytes.
const BODY_LIMIT = 16 * 1024 * 1024

const { address: { host, port } } = args(
  'Answers each HTTP request with the path that it asks for.', {
    address: {
      positional: true,
      default: '127.0.0.1:8888',
      help: 'Where to listen; 0.0.0.0:8888 opens it to other computers',
      parse: address,
    },
  })

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Listen. From here on the kernel queues clients, so anybody who has
  //    read this line can connect.
  const server = createServer({
    connectionsCheckingInterval: 1000, // how often Node checks the timeouts
  })
  server.listen({ host, port })
  await once(server, 'listening')
  line(`listening on ${shownAddress(server.address())}`)

  // 2. Accept clients until Ctrl-C. Node does so by itself, where Rust spawns
  //    a task for each.
  serve(server)
  await stopped // by Ctrl-C and SIGTERM

  // 3. Stop: accept nobody else, finish the answers, close the rest. What
  //    takes longer than 1.5 seconds is cut off by shutdown.js.
  server.close()
}

// 4. Serves each connection: Node reads its requests, one after the other,
//    and calls answer() for each. An error ends no other connection.
//    (Node handles the connections itself; this runs once, for all.)
function serve(server) {
  // Slow-loris: a client that sends one byte of its headers every few seconds
  // would hold its connection for Node's default of a minute.
  server.headersTimeout = TIMEOUT
  server.keepAliveTimeout = TIMEOUT // between two requests
  server.timeout = TIMEOUT // a pause within a body or an answer
  server.on('request', (request, response) => {
    answer(request, response).catch(({ message }) => {
      error(`socket: ${message}`)
    })
  })
}

// 5. Answers one request, whatever its method, with its path.
async function answer(request, response) {
  const { url } = request
  line(`url ${shown(url)}`)

  // 6. Read the body: the next request begins where it ends. Keep nothing of
  //    it, or a client could fill our memory.
  let length = 0
  for await (const bytes of request) {
    length += bytes.length
    if (length > BODY_LIMIT && !response.headersSent) {
      // Go on reading all the same. To close a socket that still receives
      // would reset the connection (RST), and the client might lose this
      // answer. After 5 minutes Node ends the request (requestTimeout).
      reply(response, 413, '')
    }
  }
  if (!response.headersSent) reply(response, 200, url)
}

// 7. Builds the response: Node sends it.
function reply(response, status, text) {
  response.statusCode = status
  // The client chose this text. Without these two headers, a browser could
  // take it for HTML and run a script in it (XSS).
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.setHeader('x-content-type-options', 'nosniff')
  // For HEAD and for HTTP/1.0, where Node does not add it.
  response.setHeader('content-length', Buffer.byteLength(text))
  response.end(text)
}
