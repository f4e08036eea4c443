// What both halves need of UDP. Rust twin: ../src/lib.rs.

import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'

/**
 * A socket for the family of `host`'s address, and that address. Of a name
 * that has several, the first IPv4 address: with UDP nobody tells which of
 * them is the right one, so server and client must choose alike.
 */
export async function socketFor(host) {
  const { address, family } = await lookup(host, { order: 'ipv4first' })
  return [createSocket(family === 6 ? 'udp6' : 'udp4'), address]
}

/**
 * A socket with a port that the system chooses, which sends to the server at
 * `host` and `port` and hears nobody else. No byte is sent for that, so it
 * works without a server too.
 */
export async function connect({ host, port }) {
  const [socket, address] = await socketFor(host)
  socket.connect(port, address)
  await once(socket, 'connect')
  return socket
}

/** Whether an error says that nobody receives what was sent. */
export function isRefusal({ code }) {
  return ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code)
}

/**
 * Whether a server at port `own` may answer this sender.
 *
 * A sender's address can be forged. If it names another echo server, the two
 * would answer each other for ever. So no answer goes to the ports below
 * 1024, where a computer's services are (echo has 7), nor to our own number,
 * where the next server of this kind is likely to be.
 */
export function mayAnswer(sender, own) {
  return sender.port >= 1024 && sender.port !== own
}

/** An address as Rust prints it: '127.0.0.1:8888' or '[::1]:8888'. */
export function printed({ address, port }) {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
