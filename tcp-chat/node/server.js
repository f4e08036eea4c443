// TCP chat server: sends each client's lines to all clients.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js.
//
//     node tcp-chat/node/server.js
//     node tcp-chat/node/client.js --name Ada    # in a second terminal
//
// Try this: talk to it with `nc 127.0.0.1 8000` from a third terminal.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { address, args, shownAddress } from '../../common/node/args.js'
import { error, fail, line } from '../../common/node/log.js'
import { stop, stopped } from '../../common/node/shutdown.js'
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

// The longest line, in bytes, with its line feed. A longer one is cut.
const MAX_LINE = 4096

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
  await stopped // by Ctrl-C and SIGTERM

  // 3. Stop: accept nobody else, and let the clients read what was sent.
  server.close()
  room.close()
}

// 4. Serve one client: receive and send at the same time, so that it gets
//    the others' lines also while it is silent itself.
async function serve(socket, room) {
  const { remoteAddress, remoteFamily, remotePort } = socket
  if (remotePort === undefined) return socket.destroy() // gone already
  const address = shownAddress(
    { address: remoteAddress, family: remoteFamily, port: remotePort })
  socket.on('error', () => {}) // receive() or send() throws it as well
  const client = room.join(address) // with the lines that wait for it
  const receiving = receive(socket, room, client)
    .finally(() => room.leave(client)) // ends the queue, and so send()

  // An error ends this connection and no other.
  try {
    await Promise.all([receiving, send(socket, client.queue)])
  } catch ({ message }) {
    // After Ctrl-C, an error no longer matters.
    if (!stop.aborted) error(`${address}: ${message}`)
    socket.destroy()
    room.leave(client) // if send() failed, it is still there
  }
}

// 5. Receive lines. TCP has no framing: one piece may hold half a line, or
//    ten of them. So collect bytes up to each line feed, and not more than a
//    line may have: one that never ends would fill the memory.
async function receive(socket, room, client) {
  let begun = Buffer.alloc(0) // a line whose end has not arrived
  // The iterator must not close the socket: send() has more to write.
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
    begun = Buffer.concat([begun, bytes])
    while (begun.includes('\n') || begun.length >= MAX_LINE) {
      const feed = begun.indexOf('\n')
      const end = feed < 0 ? MAX_LINE : Math.min(feed + 1, MAX_LINE)
      await handle(begun.subarray(0, end))
      begun = begun.subarray(end)
    }
  }
  // The last line of a stream may lack its line feed.
  if (begun.length > 0) await handle(begun)

  async function handle(text) {
    // Back-pressure: while half of this client's own queue waits for it, we
    // read nothing from it. So it cannot flood the others.
    await room.hasSpace(client)
    // A new name, or text for everybody. Some end lines with CR LF.
    room.handle(client, text.toString().replace(/[\r\n]+$/, ''))
  }
}

// 6. Send what waits in this client's queue. While the client does not read,
//    only this waits: the queue fills, and the room drops a slow consumer.
async function send(socket, queue) {
  const write = promisify(socket.write).bind(socket) // returns a promise
  for await (const lines of queue) {
    const late = setTimeout(() =>
      socket.destroy(Error('the client does not read')), WRITE_TIMEOUT)
    await write(lines).finally(() => clearTimeout(late))
  }
  // 7. Close our direction only: closing both with something unread would be
  //    a reset, which can overtake the last line.
  socket.end()
}
