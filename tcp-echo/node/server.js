// TCP echo server: sends back whatever a client sends.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js.
//
//     node tcp-echo/node/server.js
//     node tcp-echo/node/client.js              # in a second terminal
//
// Try this: start a second client. One thread serves both.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { address, args, shownAddress } from '../../common/node/args.js'
import { Decoder, error, fail, line } from '../../common/node/log.js'
import { stop, stopped } from '../../common/node/shutdown.js'

const { address: { host, port } } = args('Sends back what a client sends.', {
  address: {
    positional: true,
    default: '127.0.0.1:8888',
    help: 'Where to listen; 0.0.0.0:8888 opens it to other computers',
    parse: address,
  },
})
const connections = new Set()

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Listen. From here on the kernel queues clients, so anybody who has
  //    read this line can connect.
  const server = createServer({
    allowHalfOpen: true, // a half-close does not end our direction: step 7
    noDelay: true, // disable Nagle's algorithm: send small writes immediately
  })
  server.listen({ host, port })
  await once(server, 'listening')
  line(`listening on ${shownAddress(server.address())}`)

  // 2. Accept clients until Ctrl-C. A function is called for each, where Rust
  //    spawns a task. Node itself deals with an `accept` that fails.
  server.on('connection', serve)
  await stopped // by Ctrl-C and SIGTERM

  // 3. Stop: accept nobody else, and let each connection finish its answer
  //    (destroySoon: once it is written). After 1.5 seconds shutdown.js ends
  //    the program in any case, with status 0.
  server.close()
  for (const socket of connections) socket.destroySoon()
}

// 4. Serves one client. An error ends this connection and no other.
async function serve(socket) {
  line('socket connected')
  connections.add(socket)
  try {
    await echo(socket)
  } catch ({ message }) {
    // After Ctrl-C, step 3 has closed the socket.
    if (!stop.aborted) error(`socket: ${message}`)
  }
  connections.delete(socket)
  line('socket disconnected')
}

// Sends back what arrives until the client half-closes, or until Ctrl-C.
async function echo(socket) {
  const write = promisify(socket.write).bind(socket) // returns a promise
  const decoder = new Decoder()
  // 5. Receive. TCP has no framing: one piece may hold half a "hello", or
  //    three.
  for await (const bytes of socket) {
    if (stop.aborted) break // step 3 has ended our direction
    // For the log, the decoder keeps a character whole that was split over
    // two reads; the bytes themselves go back as they came.
    const text = decoder.decode(bytes)
    line(`receive: ${text}`)

    // 6. Send. Back-pressure: this waits while the client does not read, and
    //    meanwhile we read nothing from it. Our memory stays bounded; without
    //    `await`, write() would queue everything.
    await write(bytes)
    line(`send: ${text}`)
  }
  // 7. Close our direction as well. In most versions of Node, the end of the
  //    loop has closed the socket already; in the others, this does.
  socket.end()
}
