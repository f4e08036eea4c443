// What both halves need of the package redis. Rust twin: ../src/lib.rs.

import { EventEmitter, on } from 'node:events'
import { missing } from '../../common/node/packages.js'
import { stop } from '../../common/node/shutdown.js'

const { createClient } = await import('redis').catch(missing)

/** How long a connection may take, in milliseconds. */
const TIMEOUT = 5000

/** A client for the Redis at `url`. It does not connect yet. */
export function clientFor(url) {
  const client = createClient({
    url,
    socket: {
      connectTimeout: TIMEOUT,
      // Report each failure. By default, the client would reconnect by itself,
      // and nobody would know that messages were lost.
      reconnectStrategy: false,
    },
    // Reject commands while there is no connection. By default they are
    // queued, and sent at some later time.
    disableOfflineQueue: true,
  })
  // Without a listener, Node would end with an uncaught 'error' event. The
  // same errors also reject what is being awaited.
  client.on('error', () => {})
  return client
}

/**
 * Keeps the messages that are pushed until they are awaited: `next()` resolves
 * to `[message, channel]`, or to undefined when the connection has ended. It
 * rejects on Ctrl-C.
 */
export function inbox(client) {
  const events = new EventEmitter()
  const messages = on(events, 'message', { close: ['end'], signal: stop })
  client.on('error', () => events.emit('end'))
  return {
    push: (message, channel) => events.emit('message', message, channel),
    next: async () => (await messages.next()).value,
  }
}

/**
 * The error for a connection that fails: the address without the password that
 * a URL may hold, and what to do.
 */
export function noConnection(url, error) {
  const { host, pathname } = new URL(url)
  const advice = isRefusal(error) ? '' : '; start Redis first: redis-server'
  return Error(`connect to ${host || pathname}: ${reason(error)}${advice}`)
}

/** Whether Redis answered that we may not do this. Trying again cannot help. */
export function isRefusal({ message }) {
  return /^(NOAUTH|NOPERM|WRONGPASS)\b/.test(message)
}

/** What went wrong. The message is empty where several addresses were tried. */
export function reason({ message, code }) {
  return message || code
}
