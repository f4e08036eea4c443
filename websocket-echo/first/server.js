// The first version of the WebSocket echo server. Rust twin: server.rs.

import { WebSocketServer } from 'ws'

const server = new WebSocketServer({ port: 8888, host: '127.0.0.1' })
server.on('listening', () => console.log('listening on 127.0.0.1:8888'))
server.on('connection', socket => {
  console.log('socket connected')
  socket.on('message', (message, isBinary) => {
    console.log(`receive: ${message}`)
    socket.send(message, { binary: isBinary })
    console.log(`send: ${message}`)
  })
  socket.on('close', () => console.log('socket disconnected'))
})
