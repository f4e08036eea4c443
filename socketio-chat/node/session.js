// The client's connection: the package socket.io-client, and what went wrong
// in words. Rust twin: ../src/session.rs.

import { shown } from '../../common/node/log.js'
import { missing } from '../../common/node/packages.js'
import { check } from '../../common/node/url.js'

const { io } = await import('socket.io-client').catch(missing)

const ADVICE = 'start the server first: node socketio-chat/node/server.js'

/**
 * The server rejected us, or there is no Socket.IO at its address: to wait and
 * retry cannot help.
 */
export class Refusal extends Error {
  constructor(why) {
    super(`it refuses: ${shown(why)}`)
  }
}

/**
 * Connects to the server at `url`, and tells it our name. `lost` is a promise
 * that is rejected when there is no such server, when it does not let us in,
 * and when the connection is lost.
 */
export function open(url, name) {
  checkUrl(url)
  // Socket.IO can reconnect by itself. But then it would also send texts
  // before the room is joined; and it does not when the server has
  // disconnected us. So the client does it, as in Rust.
  const options = { auth: { name }, reconnection: false, forceNew: true }
  const socket = io(url, options)
  const lost = new Promise((_, reject) => {
    socket.on('connect_error', error => reject(explain(error, socket, url)))
    socket.on('disconnect', () => reject(Error('the server closed it')))
  })
  lost.catch(() => {}) // whoever waits for it hears of it
  return { socket, lost }
}

// Socket.IO would take a path for something else, and guess what is missing.
function checkUrl(url) {
  try {
    check(url, ['http', 'https'])
    if (new URL(url).pathname !== '/') {
      throw Error('the URL must end after the host')
    }
  } catch ({ message }) {
    throw Error(`connect to ${url}: ${message}`)
  }
}

// Why we could not connect, and what to do about it.
function explain({ description, message }, socket, url) {
  const isHttp = description >= 400 && description < 500
  // active: the connection failed, and we were not rejected.
  const error = isHttp ? new Refusal(`HTTP ${description}`)
    : socket.active ? Error(`${description?.message || message}; ${ADVICE}`)
    : new Refusal(message)
  error.message = `connect to ${url}: ${error.message}`
  return error
}
