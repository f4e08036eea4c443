// HTTP below Socket.IO: the page, the limits, and where requests may come
// from. Rust twin: ../src/web.rs.

import { createServer } from 'node:http'
import { missing } from '../../common/node/packages.js'
import { join } from './cluster.js'
import { answer } from './page.js'

const { Server } = await import('socket.io').catch(missing)

// How many packets can wait for a client; beyond this, it is disconnected.
const MAX_WAITING = 4096

/**
 * A Socket.IO server in front of the page, for its own pages and those of
 * `sites`. With the URL of a Redis, its clients and those of the other servers
 * at that Redis are one chat. The parser takes ten binary attachments in one
 * packet.
 */
export async function open(sites, redis) {
  const http = createServer(answer)
  const io = new Server(http, {
    serveClient: false, // the page has its own copy
    maxHttpBufferSize: 1_000_000, // WebSocket and long polling alike
    cors: sites.length > 0 ? { origin: sites } : undefined,
    allowRequest: (request, decide) => decide(null, admits(request, sites)),
  })
  io.engine.on('connection', mustRead)
  // An upgrade to another path is ended a second later. Until then nobody
  // listens for the socket's errors, and one of those would end the process.
  http.on('upgrade', (_, socket) => socket.on('error', () => {}))
  if (redis !== undefined) await join(io, redis)
  return { http, io }
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

const LOOPBACK = /^(::1$|(::ffff:)?127\.)/
// What a server there is called, with any port.
const LOCAL = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i

/**
 * May this request use the server?
 *
 * A browser asks nobody before it opens a WebSocket: without this, any site
 * that somebody visits could read along in their name. What is no browser
 * sends no Origin, and could send any.
 */
function admits({ headers: { origin, host }, socket }, named) {
  const sites = named.map(site => site.replace(/\/+$/, ''))
  // DNS may say of any name that it leads to this computer. For a browser,
  // the pages of that site are then our own, and send no Origin with a GET.
  const misled = LOOPBACK.test(socket.localAddress) && !LOCAL.test(host)
  if (misled && !sites.some(site => hostOf(site) === host)) return false
  if (origin === undefined) return true
  return hostOf(origin) === host || sites.includes(origin)
}

function hostOf(site) {
  return site.split('://')[1]
}
