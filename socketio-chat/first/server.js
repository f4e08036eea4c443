// The first version of the Socket.IO chat server. Rust twin: server.rs.
import { createServer } from 'node:http'
import { Server } from 'socket.io'

const http = createServer()
const io = new Server(http)
io.on('connection', socket => {
  console.log('socket connected')
  socket.on('chat message', text => {
    console.log(`chat message: ${text}`)
    io.emit('chat message', text)
  })
  socket.on('disconnect', () => console.log('socket disconnected'))
})
http.listen(3000, '127.0.0.1', () => {
  console.log('listening on 127.0.0.1:3000')
})
