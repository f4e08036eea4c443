// The first version of the pipe echo client. Rust twin: client.rs.

import { connect } from 'node:net'

const socket = connect('/tmp/unix.sock')
socket.on('connect', () => {
  console.log('connected.')
  send()
  setInterval(send, 3000)
})
socket.on('data', bytes => console.log(`receive: ${bytes}`))
socket.on('end', () => {
  console.log('disconnected.')
  process.exit()
})

function send() {
  socket.write('hello')
  console.log('send: hello')
}
