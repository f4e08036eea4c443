// TCP echo client: says hello every three seconds and prints the echo.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node tcp-echo/node/client.js
//     node tcp-echo/node/client.js 192.168.10.105:8888

import { connect } from 'node:net'
import { address, args, pace } from '../../common/node/args.js'
import { Decoder, error, line, shown } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'

const ADVICE = 'start the server first: node tcp-echo/node/server.js'
const { address: { host, port }, message, every, count } = args(
  'Says hello to a TCP echo server and prints what comes back.', {
    address: {
      positional: true,
      default: '127.0.0.1:8888',
      help: 'Where the server listens',
      parse: address,
    },
    message: { value: 'TEXT', default: 'hello', help: 'What to send' },
    ...pace,
  })

// 1. Connect.
const socket = connect({ host, port, noDelay: true })
let connected = false
socket.on('connect', () => {
  connected = true
  line('connected.')
  say()
})
socket.on('error', ({ code, message }) => {
  const what = message || code // empty where several addresses were tried
  error(connected ? `Error: socket: ${what}`
    : `Error: connect to ${host}:${port}: ${what}; ${ADVICE}`)
  process.exitCode = 1
})

// 2. Send, now and at every tick, until that was all or Ctrl-C.
const outgoing = Buffer.from(message)
let sent = 0
let left = count
let clock

function say() {
  // Says "that was all" and leaves the other direction open, so the last
  // echo still arrives.
  if (left === 0 || stop.aborted) return socket.end()
  line(`send: ${shown(message)}`)
  // false: the server does not read. Wait, or the queue grows without end.
  const fits = socket.write(outgoing)
  sent += outgoing.length
  left -= 1
  const next = () => { clock = setTimeout(say, left ? every : 0) }
  if (fits) next()
  else socket.once('drain', next)
}
stop.addEventListener('abort', () => connected ? socket.end() : process.exit())

// 3. Print what comes back, until the server closes.
const decoder = new Decoder()
let received = 0
socket.on('data', bytes => {
  // One 'data' is not one message: it may hold half a "hello".
  line(`receive: ${decoder.decode(bytes)}`)
  if (bytes.some((byte, i) =>
    byte !== outgoing[(received + i) % outgoing.length])) {
    socket.destroy(Error('this is not what was sent'))
  }
  received += bytes.length
})

// 4. The server has closed.
socket.on('end', () => line('disconnected.'))
socket.on('close', failed => {
  clearTimeout(clock)
  if (!failed && received < sent) {
    error(`Error: only ${received} of ${sent} bytes came back`)
    process.exitCode = 1
  }
})
