// HTTP echo server: the answer to a request is the path that it asks for.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js.
//
//     node http-echo/node/server.js
//     node http-echo/node/client.js             # in a second terminal

import { createServer } from 'node:http'
import { address, args } from '../../common/node/args.js'
import { error, line, ready, shown } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'
import { limits, options } from './limits.js'
import { refuse, refuseOn, text } from './reply.js'
import { refusal } from './target.js'
import { createSecure, tls } from './tls.js'
import { heldBack } from './unread.js'

const { address: given, ...rest } = args(
  'Answers each HTTP request with the path that it asks for.', {
    address: {
      positional: true,
      help: 'Where to listen, by default at 127.0.0.1:8888; 0.0.0.0:8888 ' +
        'opens it to other computers',
      parse: text => text && address(text),
    },
    ...tls,
    ...limits,
  })
const { host, port } = given ??
  { host: '127.0.0.1', port: rest.tls ? 8443 : 8888 }
const server = (rest.tls ? createSecure : createServer)(options(rest))
server.timeout = rest['idle-timeout'] // also in the middle of a request

// 1. Listen. From here on the kernel queues clients, so whoever has read
//    this line can connect.
server.listen({ host, port }, () => {
  const { address, family, port } = server.address()
  const shown = family === 'IPv6' ? `[${address}]` : address
  ready(`listening on ${shown}:${port}`)
})
server.on('error', ({ message }) => {
  error(`Error: listen on ${host}:${port}: ${message}`)
  process.exitCode = 1
})

// 2. Node takes one connection after the other, reads its requests and
//    calls `answer` for each. While a client does not read its answers, no
//    more requests are read from it.
server.on('request', heldBack(answer))
server.on('checkContinue', heldBack(answer)) // who asks before the body
// It wants a tunnel to somewhere else, as from a proxy.
server.on('connect', (request, socket) => refuseOn(socket, 501, request))

// 3. An error ends this connection, and no other.
server.on('clientError', ({ code, reason, message }, socket) => {
  const isHttp = code?.startsWith('HPE_')
  error(`socket: ${isHttp || !reason ? message : `TLS handshake: ${reason}`}`)
  if (!isHttp) return socket.destroy()
  const status = code === 'HPE_HEADER_OVERFLOW' ? 431 : 400
  // Later: what came before it is answered first.
  setImmediate(() => socket.writable && refuseOn(socket, status))
})

// 4. Answers a request, whatever its method, with the target it asks for.
function answer(request, response) {
  const status = refusal(request)
  if (status) return refuse(request, response, status)
  const { url, headers, httpVersion } = request
  line(`url ${shown(url)}`)

  // Read the body, or its 'end' never comes, nor the next request. Keep
  // nothing of it: bodies that are collected fill the memory.
  let left = rest['body-limit']
  const tooLong = () => refuse(request, response, 413)
  if (headers['content-length'] > left) return tooLong()
  if (headers.expect && httpVersion !== '1.0') response.writeContinue()
  request.on('data', ({ length }) => {
    left -= length
    if (left < 0 && !response.headersSent) tooLong()
  })
  // To HEAD, Node sends the headers of this and no body.
  request.on('end', () => response.headersSent || text(response, url))
}

// 5. Stop: take no more clients, finish the answers. Who is between two
//    requests is sent away at once.
stop.addEventListener('abort', () => server.close())
