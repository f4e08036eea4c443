// TCP chat client: says what you type, shows what all say.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node tcp-chat/node/client.js
//     node tcp-chat/node/client.js --name Ada

import { connect } from 'node:net'
import { address, args } from '../../common/node/args.js'
import { error, escaped, holdBack, line } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'
import { LONGEST, Lines } from './lines.js'
import { open } from './terminal.js'

const ADVICE = 'start the server first: node tcp-chat/node/server.js'
const { address: { host, port }, name } = args(
  'Says what you type in a chat, and shows what the others say.', {
    address: {
      positional: true,
      default: '127.0.0.1:8000',
      help: 'Where the server listens',
      parse: address,
    },
    name: {
      value: 'NAME',
      help: 'What the others call you; otherwise, your address',
    },
  })

// 1. Connect.
const socket = connect({ host, port, noDelay: true })
let screen
let failure
socket.on('error', ({ code, message }) => {
  const what = message || code // empty where several addresses were tried
  failure = screen ? `Error: receive: ${what}`
    : `Error: connect to ${host}:${port}: ${what}; ${ADVICE}`
})

// 2. Say and hear at once, until the server or the user has enough.
const leave = () => socket.destroy()
stop.addEventListener('abort', leave)

// 3. Say what is typed. The server looks for the line ends, so any piece
//    will do.
socket.on('connect', () => {
  line('connected.')
  if (name !== undefined) socket.write(`/name ${name}\n`)
  screen = open(socket, leave)
})

// 4. Show what all say, until the server closes. Only whole lines: half a
//    line would stand in the line being typed.
const lines = new Lines(2 * LONGEST) // it also has a name in front
socket.on('data', bytes => {
  show(lines.next(bytes))
  holdBack(socket) // where nobody reads what we show, it would pile up
})
socket.on('end', () => show(lines.last()))

function show(lines) {
  for (const line of lines) {
    screen.line(typeof line === 'string' ? escaped(line)
      : '(a line that cannot be shown)')
  }
}

// 5. Give the terminal back before anything else is printed.
socket.on('close', () => {
  screen?.close()
  if (failure) {
    error(failure)
    process.exitCode = 1
  } else if (screen) {
    line('disconnected.')
  }
})
