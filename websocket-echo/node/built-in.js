// A second client, without a package: the WebSocket of browsers, which is built
// into Node 22 and later. What it cannot do, the README says.
//
//     node websocket-echo/node/server.js          # in a first terminal
//     node websocket-echo/node/built-in.js
//
// Try this: give it a URL where no server is.

const [url = 'ws://127.0.0.1:8888'] = process.argv.slice(2)
const socket = new WebSocket(url, 'echo.v1')
socket.onopen = () => {
  console.log('connected.')
  socket.send('hello')
  console.log('send: hello')
}
socket.onmessage = ({ data }) => {
  console.log(`receive: ${data}`)
  socket.close(1000)
}
socket.onclose = ({ code }) => console.log(`disconnected: ${code}`)
