// Pipe echo server: what a client sends, it gets back.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js.
//
//     node pipe-echo/node/server.js
//     node pipe-echo/node/client.js             # in a second terminal

import { createServer } from 'node:net'
import { args } from '../../common/node/args.js'
import {
  Decoder, error, holdBack, line, ready,
} from '../../common/node/log.js'
import { DEFAULT_PATH, listen } from '../../common/node/pipe.js'
import { stop } from '../../common/node/shutdown.js'

const { path } = args('Sends back what a client sends.', {
  path: {
    positional: true,
    default: DEFAULT_PATH,
    help: 'Where to listen: a path; on Windows a name like \\\\.\\pipe\\mypip',
  },
})
// A client may close its direction and still wait for the last echo.
const server = createServer({ allowHalfOpen: true })

// 1. Listen. A Unix socket is a file: one that a killed server left behind
//    is replaced, and a living server's is not. Only this user may connect.
//    From here on the kernel queues clients, so whoever has read this line
//    can connect.
listen(server, path).then(
  () => ready(`listening on ${path}`),
  ({ message }) => {
    error(`Error: listen on ${path}: ${message}`)
    process.exitCode = 1
  })

// 2. Take one connection after the other: this callback runs for each.
server.on('connection', socket => {
  line('socket connected')

  // 3. An error ends this connection, and no other.
  socket.on('error', ({ message }) => error(`socket: ${message}`))
  socket.on('close', () => line('socket disconnected'))

  // 4. Send back what arrives, until the client has no more to say.
  //    A pipe carries bytes, not messages: one 'data' may hold half a
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

  // 5. Stop: take no more clients, finish the answers. The socket's file
  //    goes with the server.
  const finish = () => socket.end(() => socket.destroy())
  stop.addEventListener('abort', finish)
  socket.on('close', () => stop.removeEventListener('abort', finish))
})
stop.addEventListener('abort', () => server.close())
