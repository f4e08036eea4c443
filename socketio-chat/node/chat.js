// What a name, a room's name and a message are, and how each event is
// acknowledged. Rust twin: ../src/chat.rs.

import { escaped, shown } from '../../common/node/log.js'

// In characters.
const LONGEST_TEXT = 2000
const LONGEST_NAME = 24

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

/** A message of this socket, to all or to a room, as it is sent to clients. */
export function message(socket, text, room) {
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
  const place = room === undefined ? '' : ` in ${room}`
  return `${name}${place}: ${shown(text)}`
}

/**
 * A handler for `socket.on` that calls `handle` with what the client sent, and
 * acknowledges the event with what that returns, or with the reason of a
 * refusal.
 */
export function acknowledged(handle) {
  return async (...given) => {
    // Not every client asks for an answer.
    const ack = typeof given.at(-1) === 'function' ? given.pop() : () => {}
    try {
      ack(await handle(given[0]))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      ack({ error: error.message })
    }
  }
}
