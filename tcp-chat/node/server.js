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
import {
  address, args, peerAddress, shownAddress,
} from '../../common/node/args.js'
import { error, fail, line } from '../../common/node/log.js'
import { stopped } from '../../common/node/shutdown.js'
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
    allowHalfOpen: true, // a half-close does not end our direction: step 8
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
  //    After 1.5 seconds shutdown.js ends the program in any case.
  server.close()
  room.close() // ends each client's queue, and so its send()
}

// 4. Serve one client: receive and send at the same time, so that it gets
//    the others' lines also while it is silent itself.
async function serve(socket, room) {
  const address = peerAddress(socket)
  const client = room.join(address) // its queue: the lines that wait for it
  // An error rejects a promise below. Without a listener, the 'error' event
  // would end the process as well.
  socket.on('error', () => {})
  const receiving = receive(socket, room, client)
  const sending = send(socket, client.queue)
  // An error ends this connection and no other.
  try {
    await Promise.all([receiving, sending])
  } catch ({ message }) {
    error(`${address}: ${message}`)
    room.leave(client)
    socket.destroy()
  }
}

// 5. Receive lines, until the client half-closes: it will send nothing more.
async function receive(socket, room, client) {
  for await (const line of readLine(socket)) {
    // Back-pressure: while half of this client's own queue waits for it, we
    // read nothing from it. So it cannot flood the others.
    await room.waitForSpace(client)
    // A new name, or text for everybody. Some end lines with CR LF.
    room.handle(client, line.toString().replace(/[\r\n]+$/, ''))
  }
  room.leave(client) // ends its queue, and so send()
}

// 6. Framing: TCP has none, so one piece may hold half a line, or ten of them.
//    Collect bytes up to the next line feed, and not more than a line may
//    have: one that never ends would fill the memory.
async function* readLine(socket) {
  let begun = Buffer.alloc(0) // what no line has been made of
  // The end of this loop must not close the socket: send() still writes.
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
    begun = Buffer.concat([begun, bytes])
    while (begun.includes('\n') || begun.length >= MAX_LINE) {
      const feed = begun.subarray(0, MAX_LINE).indexOf('\n')
      const length = feed < 0 ? MAX_LINE : feed + 1
      yield begun.subarray(0, length)
      begun = begun.subarray(length)
    }
  }
  if (begun.length > 0) yield begun // the last line may lack its line feed
}

// 7. Send what waits in this client's queue. While the client does not read,
//    only this waits: the queue fills, and the room drops a slow consumer.
async function send(socket, queue) {
  const write = promisify(socket.write).bind(socket) // returns a promise
  for await (const line of queue) {
    const timer = setTimeout(() => {
      socket.destroy(Error('the client does not read'))
    }, WRITE_TIMEOUT)
    await write(line).finally(() => clearTimeout(timer))
  }
  // 8. Close our direction only: closing both with something unread would be
  //    a reset, which can overtake the last line.
  socket.end()
}
