// The first version of the UDP echo client. Rust twin: client.rs.
import { createSocket } from 'node:dgram'

const socket = createSocket('udp4')
socket.on('message', bytes => console.log(`receive: ${bytes}`))

send()
setInterval(send, 3000)

function send() {
  socket.send('hello', 8888, '127.0.0.1')
  console.log('send: hello')
}
