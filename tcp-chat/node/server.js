// TCP chat server: sends each client's lines to all clients.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js.
//
//     node tcp-chat/node/server.js
//     node tcp-chat/node/client.js --name Ada    # in a second terminal
//
// Try this: talk to it with `nc 127.0.0.1 8000` from a third terminal.

import { isUtf8 } from 'node:buffer'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { address, args, shownAddress } from '../../common/node/args.js'
import { error, fail, line } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'
import { Room } from './room.js'

const { address: { host, port } } = args(
  'Sends each client\'s lines to all clients.', {
    address: {
      positional: true,
      default: '127.0.0.1:8000',
      help: 'Where to listen; 0.0.0.0:8000 opens it to other computers',
      parse: address,
    },
  })

// The longest line, in bytes, without its line feed.
const LONGEST = 4096
const TOO_LONG = '* not sent: a line may have 4096 bytes'
const NOT_UTF8 = '* not sent: a line must be UTF-8'
// telnet and Windows end lines with CR LF.
const END = /[\r\n]+$/

// How long a client may stop reading while something waits for it, in ms.
const WRITE_TIMEOUT = 10_000

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Listen.
  const server = createServer({
    allowHalfOpen: true, // a half-close does not end our direction: step 7
    noDelay: true, // disable Nagle's algorithm: send small writes immediately
  })
  server.listen({ host, port })
  await once(server, 'listening')
  line(`listening on ${shownAddress(server.address())}`)

  // 2. Accept clients until Ctrl-C. Each gets a call of serve(); what they
  //    share is the room: it knows all clients, and the order of all lines.
  const room = new Room()
  server.on('connection', socket => serve(socket, room))
  await once(stop, 'abort') // by Ctrl-C and SIGTERM

  // 3. Stop: accept nobody else, and let the clients read what was sent.
  server.close()
  room.close()
}

// 4. Serve one client: receive and send at the same time, so that it gets
//    the others' lines also while it is silent itself.
async function serve(socket, room) {
  const { remoteAddress, remoteFamily, remotePort } = socket
  if (remotePort === undefined) return socket.destroy() // gone already
  const name = shownAddress(
    { address: remoteAddress, family: remoteFamily, port: remotePort })
  socket.on('error', () => {}) // receive() or send() throws it as well
  const client = room.join(name)
  const receiving = receive(socket, room, client)
    .finally(() => room.leave(client)) // ends the queue, and so send()
  const sending = send(socket, client.queue)

  // An error ends this connection and no other.
  try {
    await Promise.all([receiving, sending])
  } catch ({ message }) {
    // After Ctrl-C, send() has closed the socket.
    if (!stop.aborted) error(`${name}: ${message}`)
    socket.destroy()
  }
  room.leave(client)
}

// 5. Receive lines. TCP has no framing: one piece may hold half a line, or
//    ten of them. So collect bytes up to each line feed, and not more than a
//    line may have: one that never ends would fill the memory.
async function receive(socket, room, client) {
  let begun = Buffer.alloc(0) // a line whose end has not arrived
  let isRest = false // of a line that is too long: it is skipped
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
    begun = Buffer.concat([begun, bytes])
    while (begun.includes('\n') || begun.length > LONGEST) {
      const end = begun.indexOf('\n')
      const isWhole = end >= 0 && end <= LONGEST
      const length = end >= 0 ? end + 1 : begun.length
      if (!isRest) await handle(begun.subarray(0, length), isWhole)
      isRest = end < 0
      begun = begun.subarray(length)
    }
  }
  // The last line of a stream may lack its line feed.
  if (begun.length > 0 && !isRest) await handle(begun, true)

  async function handle(bytes, isWhole) {
    // Back-pressure: from a client that does not read what it is sent, we
    // read nothing either. So it cannot flood the others.
    while (room.isBehind(client)) await once(client.queue, 'drain')
    if (!isWhole) room.tell(client, TOO_LONG)
    else if (!isUtf8(bytes)) room.tell(client, NOT_UTF8)
    else room.handle(client, bytes.toString().replace(END, ''))
  }
}

// 6. Send what waits in this client's queue. While the client does not read,
//    only this waits: the queue fills, and the room drops a slow consumer.
async function send(socket, queue) {
  const write = promisify(socket.write).bind(socket)
  for await (const lines of queue) {
    const late = setTimeout(() =>
      socket.destroy(Error('the client does not read')), WRITE_TIMEOUT)
    await write(lines).finally(() => clearTimeout(late))
  }
  // 7. Close our direction only: closing both with something unread would be
  //    a reset, which can overtake the last line.
  socket.end()
}
