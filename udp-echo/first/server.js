// The first version of the UDP echo server. Rust twin: server.rs.
import { createSocket } from 'node:dgram'

const socket = createSocket('udp4')
socket.on('message', (bytes, sender) => {
  console.log(`receive: ${bytes}`)
  socket.send(bytes, sender.port, sender.address)
  console.log(`send: ${bytes}`)
})
socket.bind(8888, '127.0.0.1', () => {
  console.log('listening on 127.0.0.1:8888')
})
