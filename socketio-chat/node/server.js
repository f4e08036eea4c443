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
import { createServer } from 'node:http'
import {
  address, args, shownAddress, wholeNumber,
} from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'
import * as chat from './chat.js'
import { join } from './cluster.js'
import { answer } from './page.js'
import { admits } from './web.js'

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

// The maximum number of rooms that a client can join.
const MAX_ROOMS = 20

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Listen. Socket.IO takes the requests below /socket.io/, the page has
  //    the others. Before a client is in, admit() is asked.
  const http = createServer(answer)
  const io = chat.open(http, origin, request => admits(request, origin))
  io.use(admit)
  io.on('connection', socket => connected(io, socket))
  if (redis !== undefined) await join(io, redis)
  http.listen({ host, port })
  await once(http, 'listening')
  line(`listening on ${shownAddress(http.address())}`)

  // 2. Serve until Ctrl-C, and tell everybody the time.
  sendTime(io)
  await once(stop, 'abort') // by Ctrl-C and SIGTERM

  // 3. Stop: disconnect all clients. They will try to reconnect.
  io.close()
  http.closeAllConnections()
}

// 4. Admit a client that gives a good name. It comes with the connection.
function admit(socket, next) {
  try {
    socket.data.name = chat.name(socket.handshake.auth.name)
    next()
  } catch (refusal) {
    next(refusal)
  }
}

// 5. Connection: say what is to be done with each event, and greet.
function connected(io, socket) {
  // Each handler's result is the acknowledgement. Data may be of any type,
  // whatever the client's own code sends: they are checked before use.
  socket.on('chat message', (text, ack) =>
    chat.answer(ack, () => sendToAll(io, socket, text)))
  socket.on('clientmessage', (text, ack) =>
    chat.answer(ack, () => sendToOthers(socket, text)))
  socket.on('message', (message, ack) =>
    chat.answer(ack, () => sendToRoom(io, socket, message)))
  socket.on('join room', (room, ack) =>
    chat.answer(ack, () => joinRoom(io, socket, room)))
  socket.on('leave room', (room, ack) =>
    chat.answer(ack, () => leaveRoom(socket, room)))
  socket.on('who is here', ack => chat.answer(ack, () => chat.here(io)))
  socket.on('disconnect', () => disconnected(socket))

  // The greeting goes to this socket, `joined` to all others.
  const { name } = socket.data
  socket.emit('greeting', { text: `Welcome, ${name}!` })
  line(`* ${shown(name)} joined`)
  socket.broadcast.emit('joined', { name })
}

// 6. Message to all clients, also to its sender: so all have the same order.
function sendToAll(io, socket, text) {
  const message = chat.message(socket, undefined, text) // checks the text
  line(`chat message from ${chat.shownMessage(message)}`)
  io.emit('chat message', message)
  return {} // the acknowledgement: the server has it
}

// 7. Message to all clients but its sender.
function sendToOthers(socket, text) {
  const message = chat.message(socket, undefined, text)
  line(`clientmessage from ${chat.shownMessage(message)}`)
  socket.broadcast.emit('message', message)
  return {}
}

// 8. Message to the clients in a room, if the sender is in there. For
//    Socket.IO a room is only a name; key() puts "room:" in front, so that no
//    client can choose the name of another kind of room.
function sendToRoom(io, socket, given) {
  const { room, text } = chat.roomAndText(given)
  const key = chat.key(room)
  if (!socket.rooms.has(key)) {
    throw new chat.Refusal('you are not in this room')
  }
  const message = chat.message(socket, room, text)
  line(`message from ${chat.shownMessage(message)}`)
  io.in(key).emit('message', message)
  return {}
}

// 9. Join a room. The answer says who is there. To join twice is no error: a
//    client does so after reconnecting, and to ask who is there.
function joinRoom(io, socket, given) {
  const room = chat.room(given)
  const key = chat.key(room)
  if (!socket.rooms.has(key)) {
    // One more, for the room that Socket.IO has for each socket alone.
    if (socket.rooms.size > MAX_ROOMS) {
      throw new chat.Refusal('you are in 20 rooms already')
    }
    socket.join(key)
    tellRoom(socket, 'joined', room)
  }
  return chat.here(io.in(key))
}

// 10. Leave a room.
function leaveRoom(socket, given) {
  const room = chat.room(given)
  const key = chat.key(room)
  if (socket.rooms.has(key)) {
    socket.leave(key)
    tellRoom(socket, 'left', room)
  }
  return {}
}

// Tells those in a room that this socket has joined or left.
function tellRoom(socket, event, room) {
  const { name } = socket.data
  line(`* ${shown(name)} ${event} ${shown(room)}`)
  socket.to(chat.key(room)).emit(event, { name, room })
}

// 11. Disconnect, for whatever reason: a goodbye, a closed tab, or a missing
//     answer to the heartbeat. Socket.IO has left all rooms already.
function disconnected(socket) {
  const { name } = socket.data
  line(`* ${shown(name)} left`)
  socket.broadcast.emit('left', { name })
}

// 12. Send the time to everybody, again and again.
function sendTime(io) {
  setInterval(() => {
    io.emit('notification', { time: Date.now() })
  }, every).unref()
}
