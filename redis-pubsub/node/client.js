// What both halves need of Node's redis package.
// Rust twin: ../src/lib.rs.

import { createClient } from 'redis'

/**
 * A client for the server at `url`; it does not connect yet. `again` says
 * how long to wait before the next try, or false.
 */
export function clientFor(url, again) {
  const client = createClient({
    url,
    socket: { connectTimeout: 5000, reconnectStrategy: again },
    // Fail at once while there is no connection, as Rust does. Otherwise
    // commands queue up here, and are sent whenever it comes back.
    disableOfflineQueue: true,
  })
  // Without a listener, Node would die of the 'error' event. Who waits for
  // a command gets the error there, and `again` hears of all others.
  client.on('error', () => {})
  return client
}

/** The server's address: what may be shown, as a URL may hold a password. */
export function address(url) {
  const { host, pathname } = URL.parse?.(url) ?? new URL(url)
  return host || pathname
}

/** One line of what Node says: empty where several addresses were tried. */
export function reason({ message, code }) {
  return message || code
}
