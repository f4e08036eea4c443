// An echo in Node with 'data' events, for the bench: the lessons' twins read
// with `for await`, which is easier to read and slower. The bench compares Rust
// with the quicker of the two.
//
//     node bench/peers/echo.js tcp 127.0.0.1:0
//     node bench/peers/echo.js unix /tmp/echo.sock
//     node bench/peers/echo.js websocket 127.0.0.1:0
//     node bench/peers/echo.js stdio

import { createServer } from 'node:net'
import { createRequire } from 'node:module'

const [kind, address] = process.argv.slice(2)
if (kind === 'stdio') answerLines()
else if (kind === 'websocket') serveWebSockets()
else serve()

function serve() {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, echo)
  const [host, port] = address.split(':')
  server.listen(kind === 'unix' ? address : { host, port }, () => {
    const shown = kind === 'unix' ? address : `${host}:${server.address().port}`
    console.log(`listening on ${shown}`)
  })
}

function echo(socket) {
  socket.on('error', () => {}) // the bench resets connections
  socket.on('data', bytes => {
    if (!socket.write(bytes)) pauseUntilDrained(socket, socket)
  })
  socket.on('end', () => socket.end())
}

// With the package that the lesson uses.
function serveWebSockets() {
  const lesson = new URL('../../websocket-echo/package.json', import.meta.url)
  const { WebSocketServer } = createRequire(lesson)('ws')
  const [host, port] = address.split(':')
  const server = new WebSocketServer({ host, port })
  server.on('listening', () => {
    console.log(`listening on ${host}:${server.address().port}`)
  })
  server.on('connection', (socket, { socket: connection }) => {
    socket.on('error', () => {}) // the bench closes without a word
    socket.on('message', (message, binary) => {
      socket.send(message, { binary })
      if (connection.writableNeedDrain) pauseUntilDrained(socket, connection)
    })
  })
}

// The child of stdio-ipc: two lines for each line, and a write for each
// answer, as in the lesson's twin.
function answerLines() {
  const { stdin, stdout } = process
  let rest = ''
  stdin.setEncoding('utf8')
  stdin.on('data', text => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines) {
      stdout.write(`Received from parent: ${shown(line)}\nHello from child\n`)
    }
    if (stdout.writableNeedDrain) pauseUntilDrained(stdin, stdout)
  })
}

// As the lessons show a line: control characters are escaped, a long one cut.
function shown(line) {
  const text = line.slice(0, 160).replace(/\p{Cc}/gu, escaped)
  return line.length <= 160 ? text : `${text}… (${line.length} bytes)`
}

function escaped(character) {
  return JSON.stringify(character).slice(1, -1)
}

// Back-pressure: reads no more until what was written has left.
function pauseUntilDrained(from, to) {
  from.pause()
  to.once('drain', () => from.resume())
}
