// TCP chat server: what one client says, all clients hear.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js.
//
//     node tcp-chat/node/server.js
//     node tcp-chat/node/client.js --name Ada    # in a second terminal

import { createServer } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { address, args } from '../../common/node/args.js'
import { error, ready } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'
import { LONGEST, Lines } from './lines.js'
import { Room } from './room.js'

const { address: { host, port } } = args(
  'Sends what each client says to all of them.', {
    address: {
      positional: true,
      default: '127.0.0.1:8000',
      help: 'Where to listen; 0.0.0.0:8000 opens it to other computers',
      parse: address,
    },
  })
// A client that has no more to say may still read the rest.
const server = createServer({ allowHalfOpen: true, noDelay: true })

// 1. Listen.
server.listen({ host, port }, () =>
  ready(`listening on ${at(server.address())}`))
server.on('error', ({ message }) => {
  error(`Error: listen on ${host}:${port}: ${message}`)
  process.exitCode = 1
})

// 2. Take one client after the other. What they share is the room: who is
//    there, and the order of all lines.
const room = new Room()
server.on('connection', socket => {
  const { remoteAddress, remoteFamily, remotePort } = socket
  if (!remotePort) return socket.destroy() // gone before it was taken
  const name = at({
    address: remoteAddress, family: remoteFamily, port: remotePort,
  })
  // It has left, or was dropped for not reading, and still reads nothing.
  // Whoever holds on to a connection for ever costs us one.
  const member = room.join(name, () => socket.destroy())

  // An error ends this connection, and no other.
  socket.on('error', ({ message }) => error(`${name}: ${message}`))
  socket.on('close', () => {
    member.leave()
    clearTimeout(member.timer)
  })
  serve(socket, member).catch(() => socket.destroy())
})

// 3. Listens to a client and tells it what is said, both at once: it hears
//    the others also while it is silent itself.
async function serve(socket, member) {
  const leave = () => member.leave()
  stop.addEventListener('abort', leave)
  try {
    await Promise.all([hear(socket, member), tell(socket, member)])
  } finally {
    stop.removeEventListener('abort', leave)
  }
}

// 4. Makes lines of what arrives, until the client has no more to say.
async function hear(socket, member) {
  const lines = new Lines(LONGEST)
  // Without this option, the end of the loop would close both directions.
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
    // One 'data' is not one line: it may hold half a line, or ten.
    for (const line of lines.next(bytes)) await member.say(line)
  }
  for (const line of lines.last()) await member.say(line)
  member.leave()
}

// 5. Writes what is said. While this client does not read, pipeline() waits
//    here, and only here: its queue fills, and nobody else notices. At the
//    end it says "that was all", but hear() goes on reading. To close with
//    something unread would be a reset, and might overtake the last word.
async function tell(socket, member) {
  await pipeline(member.queue.batches(), socket)
  if (stop.aborted) socket.destroy()
}

// 6. Stop: take no more clients, let them read what was said.
stop.addEventListener('abort', () => server.close())

function at({ address, family, port }) {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}
