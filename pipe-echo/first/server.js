// The first version of the pipe echo server. Rust twin: server.rs.

import { createServer } from 'node:net'

const server = createServer(socket => {
  console.log('socket connected')
  socket.on('data', bytes => {
    console.log(`receive: ${bytes}`)
    socket.write(bytes)
    console.log(`send: ${bytes}`)
  })
  socket.on('close', () => console.log('socket disconnected'))
  socket.on('error', error => console.error(error.message))
})
server.listen('/tmp/unix.sock', () => {
  console.log('listening on /tmp/unix.sock')
})
