// What is said in the chat, and what is refused. Rust twin: ../src/chat.rs.

import { setTimeout as sleep } from 'node:timers/promises'
import { Server } from 'socket.io'
import { escaped, line, shown } from '../../common/node/log.js'
import { holdBack } from './unread.js'

// In characters. What waits for a client that does not read takes memory.
const LONGEST_TEXT = 2000
const LONGEST_NAME = 24
const MOST_ROOMS = 20
// So many packets wait for a client; with more, it is sent away.
const MOST_WAITING = 4096

// How long the other servers may take to answer, in milliseconds.
const PATIENCE = 1000

/**
 * A Socket.IO server behind `http`, which `admits(request)` guards. Its
 * parser takes ten binary attachments in one packet.
 */
export function open(http, origins, admits) {
  const io = new Server(http, {
    serveClient: false, // the page has its own copy
    maxHttpBufferSize: 1_000_000, // WebSocket and long polling alike
    cors: origins.length > 0 ? { origin: origins } : undefined,
    allowRequest: (request, decide) => decide(null, admits(request)),
  })
  io.engine.on('connection', mustRead)
  holdBack(io.engine)
  // Who upgrades to something else is sent away a second later. Until then
  // nobody hears the socket's errors, and one of those would end the process.
  http.on('upgrade', (_, socket) => socket.on('error', () => {}))
  return io
}

/** Ends a connection whose client does not read what is sent to it. */
function mustRead(connection) {
  let waiting = 0
  connection.on('flush', () => { waiting = 0 })
  connection.on('packetCreate', () => {
    waiting += 1
    // Not at once: what is sent in one go cannot leave before its end.
    if (waiting === MOST_WAITING) setImmediate(unlessRead)
  })
  function unlessRead() {
    if (waiting >= MOST_WAITING) connection.close(true)
  }
}

/** Why something is refused, in words for the one who tried. */
export class Refusal extends Error {}

/** Lets somebody in who says a name. */
export function introduce(me, next) {
  try {
    const { name } = me.handshake.auth
    me.data.name = checkName(name, 'a name has 1 to 24 visible characters')
    next()
  } catch (refusal) {
    next(refusal)
  }
}

/** The room of this name, if it is one. */
function roomOf(name) {
  return checkName(name, 'a room\'s name has 1 to 24 visible characters')
}

function checkName(name, why) {
  const trimmed = typeof name === 'string' ? name.trim() : ''
  const length = [...trimmed].length
  // Nothing in it moves the cursor or turns the direction of writing round.
  if (length < 1 || length > LONGEST_NAME || escaped(trimmed) !== trimmed) {
    throw new Refusal(why)
  }
  return trimmed
}

/** What Socket.IO calls a room: nobody joins his neighbour's own one. */
export const key = room => `room:${room}`

/** Something that somebody says to whoever is to hear it. */
export function said(by, text) {
  const length = typeof text === 'string' ? [...text].length : 0
  if (length < 1 || length > LONGEST_TEXT) {
    throw new Refusal('a message has 1 to 2000 characters')
  }
  // The id says whose connection it was: two windows may have the same name.
  return { id: by.id, name: by.data.name, text, time: Date.now() }
}

/** Something that somebody says to those in a room. */
export function saidInRoom(by, data) {
  const { room, text } = data ?? {}
  if (typeof room !== 'string' || typeof text !== 'string') {
    throw new Refusal('a message needs a room and a text')
  }
  const there = roomOf(room)
  if (!by.rooms.has(key(there))) throw new Refusal('you are not in this room')
  return { ...said(by, text), room: there }
}

/** Tells `audience` what was said. */
export function say(event, what, audience) {
  const where = what.room ? ` in ${shown(what.room)}` : ''
  line(`${event} from ${shown(what.name)}${where}: ${shown(what.text)}`)
  // What others call "clientmessage" arrives as a message.
  audience.emit(event === 'clientmessage' ? 'message' : event, what)
  return {}
}

/** Lets somebody into a room; the answer says who is there. */
export function join(io, me, name) {
  const room = roomOf(name)
  if (!me.rooms.has(key(room))) {
    // One more, for the room that Socket.IO has for each socket alone.
    if (me.rooms.size > MOST_ROOMS) {
      throw new Refusal('you are in 20 rooms already')
    }
    me.join(key(room))
    tell('joined', me, room)
  }
  return here(io.in(key(room)))
}

/** Somebody leaves a room. */
export function leave(me, name) {
  const room = roomOf(name)
  if (me.rooms.has(key(room))) {
    me.leave(key(room))
    tell('left', me, room)
  }
  return {}
}

/** Tells the others that somebody comes or goes; in a room, if one is named. */
export function tell(event, by, room) {
  const { name } = by.data
  line(`* ${shown(name)} ${event}${room ? ` ${shown(room)}` : ''}`)
  const audience = room ? by.to(key(room)) : by.broadcast
  audience.emit(event, { name, room })
}

/** The names of those who are in `audience`, on every server. */
export async function here(audience) {
  // Not to be asked means that Redis is away, or answers nothing: then, on
  // this server.
  const everywhere = audience.fetchSockets().catch(() => undefined)
  const late = sleep(PATIENCE, undefined, { ref: false })
  const sockets = await Promise.race([everywhere, late]) ??
    await audience.local.fetchSockets()
  const names = new Set(sockets.map(socket => socket.data.name))
  return { here: [...names].sort() }
}

/** Does what an event asks for, and tells who asked what came of it. */
export async function answer(ack, run) {
  let outcome
  try {
    outcome = await run()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    outcome = { error: error.message }
  }
  // Not everybody wants to know. What is no function cannot be called.
  if (typeof ack === 'function') ack(outcome)
}
