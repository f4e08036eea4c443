// What a name, a room and a message are, and the limits of the server. Rust
// twin: ../src/chat.rs.

import { setTimeout as sleep } from 'node:timers/promises'
import { escaped, shown } from '../../common/node/log.js'
import { missing } from '../../common/node/packages.js'

const { Server } = await import('socket.io').catch(missing)

// In characters.
const LONGEST_TEXT = 2000
const LONGEST_NAME = 24
// How many packets can wait for a client; beyond this, it is disconnected.
const MAX_WAITING = 4096

// How long the other servers may take to answer, in milliseconds.
const ANSWER_TIMEOUT = 1000

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
  // An upgrade to another path is ended a second later. Until then nobody
  // listens for the socket's errors, and one of those would end the process.
  http.on('upgrade', (_, socket) => socket.on('error', () => {}))
  return io
}

/** Ends a connection whose client does not read: a slow consumer. */
function mustRead(connection) {
  let waiting = 0
  connection.on('flush', () => { waiting = 0 })
  connection.on('packetCreate', () => {
    waiting += 1
    // Not at once: what is sent in one go cannot leave before its end.
    if (waiting === MAX_WAITING) setImmediate(unlessRead)
  })
  function unlessRead() {
    if (waiting >= MAX_WAITING) connection.close(true)
  }
}

/** Why something is refused, in words for the client's user. */
export class Refusal extends Error {}

/** The name, if it is a good one. */
export function name(given) {
  return visible(given, 'a name has 1 to 24 visible characters')
}

/** The room's name, if it is a good one. */
export function room(given) {
  return visible(given, 'a room\'s name has 1 to 24 visible characters')
}

// A name without spaces around it, in which nothing moves the cursor or
// changes the direction of writing.
function visible(given, reason) {
  const name = typeof given === 'string' ? given.trim() : ''
  const length = [...name].length
  if (length < 1 || length > LONGEST_NAME || escaped(name) !== name) {
    throw new Refusal(reason)
  }
  return name
}

/** A message of this socket, as it is sent to other clients. */
export function message(socket, room, text) {
  const length = typeof text === 'string' ? [...text].length : 0
  if (length < 1 || length > LONGEST_TEXT) {
    throw new Refusal('a message has 1 to 2000 characters')
  }
  const { id, data: { name } } = socket
  // The id says whose connection it was: two windows may have the same name.
  return { id, name, room, text, time: Date.now() }
}

/** A message, ready to be printed. */
export function shownMessage({ name, room, text }) {
  const place = room === undefined ? '' : ` in ${shown(room)}`
  return `${shown(name)}${place}: ${shown(text)}`
}

/** The parts of a message to a room. */
export function roomAndText(given) {
  const { room: name, text } = given ?? {}
  if (typeof name !== 'string' || typeof text !== 'string') {
    throw new Refusal('a message needs a room and a text')
  }
  return { room: room(name), text }
}

/** What Socket.IO calls a room: no client joins another one's own room. */
export const key = room => `room:${room}`

/** The names of those in `audience`, on every server. */
export async function here(audience) {
  // When Redis is away or does not answer: those on this server.
  const everywhere = audience.fetchSockets().catch(() => undefined)
  const late = sleep(ANSWER_TIMEOUT, undefined, { ref: false })
  const sockets = await Promise.race([everywhere, late]) ??
    await audience.local.fetchSockets()
  const names = new Set(sockets.map(socket => socket.data.name))
  return { here: [...names].sort() }
}

/** Acknowledges an event: with its result, or the reason of a refusal. */
export async function answer(ack, run) {
  let result
  try {
    result = await run()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    result = { error: error.message }
  }
  // Not every client asks for an answer, and anything may stand there.
  if (typeof ack === 'function') ack(result)
}
