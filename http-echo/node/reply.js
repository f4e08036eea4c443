// The server's answers. Rust twin: ../src/reply.rs.

import { STATUS_CODES } from 'node:http'
import { error } from '../../common/node/log.js'

/** 200 and this text. */
export function text(response, text) {
  response.writeHead(200, {
    'Content-Type': 'text/plain; charset=utf-8',
    // A browser that guesses could take what it is sent for a page of ours.
    'X-Content-Type-Options': 'nosniff',
    'Content-Length': Buffer.byteLength(text),
  })
  response.end(text)
}

/** No more than this status, and then no more of this connection. */
export function refuse(request, response, status) {
  // HTTP/2 ends a request without its connection.
  if (request.httpVersionMajor === 2) {
    response.writeHead(status)
    request.resume() // to close the stream now would be to lose the answer
    return response.end()
  }
  response.writeHead(status, { Connection: 'close', 'Content-Length': 0 })
  // The client has the whole answer now. To close while it still sends would
  // make the kernel answer with a reset, and the client lose the answer.
  response.flushHeaders()
  request.resume().on('end', () => response.end())
  limitOf(request.socket)
}

/** The same, where Node has made no `response`. */
export function refuseOn(socket, status, request) {
  if (request?.httpVersionMajor === 2) return refuse(request, socket, status)
  // Node does not listen for errors any more; one that nobody hears ends the
  // process.
  socket.on('error', ({ message }) => error(`socket: ${message}`))
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n` +
    'Connection: close\r\nContent-Length: 0\r\n\r\n')
  socket.resume()
  limitOf(socket)
}

/** Who goes on sending for ever is not listened to for ever. */
function limitOf(socket) {
  const limit = setTimeout(() => socket.destroy(), socket.timeout)
  socket.on('close', () => clearTimeout(limit))
}
