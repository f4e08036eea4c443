// Chat server: passes on what people send, in a browser or in a terminal.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js, or the page.
//
//     npm ci --prefix socketio-chat             # once
//     node socketio-chat/node/server.js
//     node socketio-chat/node/client.js         # in a second terminal
//
// Try this: open http://127.0.0.1:3000 in two windows.

import { once } from 'node:events'
import {
  address, args, shownAddress, wholeNumber,
} from '../../common/node/args.js'
import { fail, line } from '../../common/node/log.js'
import { stopped } from '../../common/node/shutdown.js'
import * as chat from './chat.js'
import { acknowledged } from './chat.js'
import * as rooms from './rooms.js'
import * as web from './web.js'

const { address: { host, port }, every, redis, origin } = args(
  'Lets people chat: shows them a page, and passes on what they send.', {
    address: {
      positional: true,
      default: '127.0.0.1:3000',
      help: 'Where to listen; 0.0.0.0:3000 opens it to other computers',
      parse: address,
    },
    every: {
      value: 'MS',
      default: '5000',
      help: 'Milliseconds between two notifications of the time',
      parse: text => wholeNumber(text, 1, 86_400_000),
    },
    redis: { value: 'URL', help: 'A Redis that joins this server with others' },
    origin: {
      value: 'URL',
      multiple: true,
      default: [],
      help: 'A site whose pages may use this server; may be repeated',
    },
  })

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Listen. Socket.IO takes the requests below /socket.io/, the page has
  //    the others. Before a client is in, admit() is asked.
  const { http, io } = await web.open(origin, redis)
  io.use(admit)
  io.on('connection', socket => connected(io, socket))
  http.listen({ host, port })
  await once(http, 'listening')
  line(`listening on ${shownAddress(http.address())}`)

  // 2. Serve until Ctrl-C, and tell everybody the time. Node accepts the
  //    connections; web.js decides which sites' pages may connect.
  sendTime(io)
  await stopped // by Ctrl-C and SIGTERM

  // 3. Stop: disconnect all clients. They will try to reconnect. After 1.5
  //    seconds shutdown.js ends the program in any case, with status 0.
  io.close()
  http.closeAllConnections()
}

// 4. Admit a client that gives a good name. It comes with the connection.
function admit(socket, next) {
  try {
    socket.data.name = chat.name(socket.handshake.auth.name) // checks it
    next()
  } catch (refusal) {
    next(refusal)
  }
}

// 5. Connection: say what is to be done with each event, and greet.
function connected(io, socket) {
  // What a handler returns is sent back, as the event's acknowledgement.
  socket.on('chat message', acknowledged(text => sendToAll(io, socket, text)))
  socket.on('clientmessage', acknowledged(text => sendToOthers(socket, text)))
  rooms.register(io, socket) // 'join room' and others: see rooms.js
  socket.on('disconnect', () => disconnected(socket))

  // The greeting goes to this socket, `joined` to all others.
  const { name } = socket.data
  socket.emit('greeting', { text: `Welcome, ${name}!` })
  line(`* ${name} joined`)
  socket.broadcast.emit('joined', { name })
}

// 6. Message to all clients, also to its sender: so all have the same order.
function sendToAll(io, socket, text) {
  const message = chat.message(socket, text) // checks the text
  line(`chat message from ${chat.shownMessage(message)}`)
  io.emit('chat message', message)
  return {} // the acknowledgement: the server has it
}

// 7. Message to all clients but its sender.
function sendToOthers(socket, text) {
  const message = chat.message(socket, text)
  line(`clientmessage from ${chat.shownMessage(message)}`)
  socket.broadcast.emit('message', message)
  return {}
}

// 8. Disconnect, for whatever reason: a goodbye, a closed tab, or a missing
//    answer to the heartbeat.
function disconnected(socket) {
  const { name } = socket.data
  line(`* ${name} left`)
  socket.broadcast.emit('left', { name })
}

// 9. Send the time to everybody, again and again.
function sendTime(io) {
  setInterval(() => {
    io.emit('notification', { time: Date.now() })
  }, every).unref()
}
