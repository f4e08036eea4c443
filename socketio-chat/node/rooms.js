// Rooms: groups of clients, which a client joins and leaves.
//
// Rust twin: ../src/rooms.rs. For Socket.IO a room is only a name. `key` puts
// "room:" in front, so that no client can choose the name of another kind of
// room: each socket alone is one.

import { setTimeout as sleep } from 'node:timers/promises'
import { line } from '../../common/node/log.js'
import * as chat from './chat.js'

const { Refusal, acknowledged } = chat

// The maximum number of rooms that a client can join.
const MAX_ROOMS = 20

// How long the other servers may take to answer, in milliseconds.
const ANSWER_TIMEOUT = 1000

/** Says what is to be done with this socket's events that concern rooms. */
export function register(io, socket) {
  socket.on('join room', acknowledged(room => joinRoom(io, socket, room)))
  socket.on('leave room', acknowledged(room => leaveRoom(socket, room)))
  socket.on('message', acknowledged(given => sendToRoom(io, socket, given)))
  socket.on('who is here', acknowledged(() => here(io)))
}

// Joins a room. The answer says who is there. To join twice is no error: a
// client does so after reconnecting, and to ask who is there.
function joinRoom(io, socket, given) {
  const room = chat.room(given)
  if (!socket.rooms.has(key(room))) {
    // One more, for the room that Socket.IO has for each socket alone.
    if (socket.rooms.size > MAX_ROOMS) {
      throw new Refusal('you are in 20 rooms already')
    }
    socket.join(key(room))
    tellRoom(socket, 'joined', room)
  }
  return here(io.in(key(room)))
}

// Leaves a room.
function leaveRoom(socket, given) {
  const room = chat.room(given)
  if (socket.rooms.has(key(room))) {
    socket.leave(key(room))
    tellRoom(socket, 'left', room)
  }
  return {}
}

// Message to the clients in a room, if the sender is in there.
function sendToRoom(io, socket, given) {
  const { room: name, text } = given ?? {}
  if (typeof name !== 'string' || typeof text !== 'string') {
    throw new Refusal('a message needs a room and a text')
  }
  const room = chat.room(name)
  if (!socket.rooms.has(key(room))) {
    throw new Refusal('you are not in this room')
  }
  const message = chat.message(socket, text, room)
  line(`message from ${chat.shownMessage(message)}`)
  io.in(key(room)).emit('message', message)
  return {}
}

const key = room => `room:${room}`

// Tells those in a room that this socket has joined or left.
function tellRoom(socket, event, room) {
  const { name } = socket.data
  line(`* ${name} ${event} ${room}`)
  socket.to(key(room)).emit(event, { name, room })
}

// The names of those in `audience`, on every server.
async function here(audience) {
  // When Redis is away or does not answer: those on this server.
  const everywhere = audience.fetchSockets().catch(() => undefined)
  const late = sleep(ANSWER_TIMEOUT, undefined, { ref: false })
  const sockets = await Promise.race([everywhere, late]) ??
    await audience.local.fetchSockets()
  const names = new Set(sockets.map(socket => socket.data.name))
  return { here: [...names].sort() }
}
