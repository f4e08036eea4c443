// The first version of the Socket.IO chat client. Rust twin: client.rs.
import { io } from 'socket.io-client'

const socket = io('http://127.0.0.1:3000')
socket.on('connect', () => {
  console.log('connected.')
  socket.emit('chat message', 'hello')
  console.log('send: hello')
})
socket.onAny((...event) => console.log(`receive: ${JSON.stringify(event)}`))
socket.on('disconnect', () => console.log('disconnected.'))
