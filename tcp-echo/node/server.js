// TCP echo server: what a client sends, it gets back.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js.
//
//     node tcp-echo/node/server.js
//     node tcp-echo/node/client.js              # in a second terminal

import { createServer } from 'node:net'
import { address, args } from '../../common/node/args.js'
import {
  Decoder, error, holdBack, line, ready,
} from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'

const { address: { host, port } } = args('Sends back what a client sends.', {
  address: {
    positional: true,
    default: '127.0.0.1:8888',
    help: 'Where to listen; 0.0.0.0:8888 opens it to other computers',
    parse: address,
  },
})
// A client may close its direction and still wait for the last echo.
const server = createServer({ allowHalfOpen: true, noDelay: true })

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

// 2. Take one connection after the other: this callback runs for each.
server.on('connection', socket => {
  line('socket connected')

  // 3. An error ends this connection, and no other.
  socket.on('error', ({ message }) => error(`socket: ${message}`))
  socket.on('close', () => line('socket disconnected'))

  // 4. Send back what arrives, until the client has no more to say.
  //    TCP carries bytes, not messages: one 'data' may hold half a
  //    "hello", or three. The decoder keeps a character whole that was
  //    cut in two; the bytes go back as they came.
  const decoder = new Decoder()
  socket.on('data', bytes => {
    const text = decoder.decode(bytes)
    line(`receive: ${text}`)

    // false: the client does not read. Stop reading from it until it
    // does, or the queue grows without end.
    if (!socket.write(bytes)) {
      socket.pause()
      socket.once('drain', () => socket.resume())
    }
    line(`send: ${text}`)
    holdBack(socket) // perhaps nobody reads our own lines either
  })
  socket.on('end', () => {
    // The client has finished, perhaps within a character.
    decoder.finish(rest => line(`receive: ${rest}`))
    socket.end()
  })

  // 5. Stop: take no more clients, finish the answers.
  const finish = () => socket.end(() => socket.destroy())
  stop.addEventListener('abort', finish)
  socket.on('close', () => stop.removeEventListener('abort', finish))
})
stop.addEventListener('abort', () => server.close())
