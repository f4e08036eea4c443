// The first version of the WebSocket echo client. Rust twin: client.rs.

import WebSocket from 'ws'

const socket = new WebSocket('ws://127.0.0.1:8888')
socket.on('open', () => {
  console.log('connected.')
  send()
  setInterval(send, 3000)
})
socket.on('message', message => console.log(`receive: ${message}`))
socket.on('close', () => {
  console.log('disconnected.')
  process.exit()
})

function send() {
  socket.send('hello')
  console.log('send: hello')
}
