// Pipe echo server: sends back whatever a client sends.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js.
//
//     node pipe-echo/node/server.js
//     node pipe-echo/node/client.js             # in a second terminal
//
// Try this: `ls -l /tmp/unix.sock`, while the server runs and afterwards.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { args } from '../../common/node/args.js'
import { Decoder, error, fail, line } from '../../common/node/log.js'
import { stop, stopped } from '../../common/node/shutdown.js'
import { DEFAULT_PATH, checked } from './path.js'
import { removeStaleFile } from './stale-file.js'

const { path } = args('Sends back what a client sends.', {
  path: {
    positional: true,
    default: DEFAULT_PATH,
    help: 'Where to listen: a path; on Windows a name like \\\\.\\pipe\\echo',
    parse: checked, // refuses what Node would take for another path
  },
})
const connections = new Set()

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Listen. From here on the kernel queues clients, so anybody who has
  //    read this line can connect.
  const server = createServer({
    allowHalfOpen: true, // a half-close does not end our direction: step 8
  })
  await listen(server)
  line(`listening on ${path}`)

  // 2. Accept clients until Ctrl-C. A function is called for each, where Rust
  //    spawns a task. Node itself deals with an `accept` that fails.
  server.on('connection', serve)
  await stopped // by Ctrl-C and SIGTERM

  // 3. Stop: accept nobody else, which removes the file, and let each
  //    connection finish its answer (destroySoon: once it is written). After
  //    1.5 seconds shutdown.js ends the program in any case, with status 0.
  server.close()
  for (const socket of connections) socket.destroySoon()
}

// 4. Listens at the path. On Unix it is a file, and file permissions decide
//    who may connect. Node has the same call for named pipes of Windows.
async function listen(server) {
  // Of a server that was killed: the file stays, and listen() would fail.
  if (process.platform !== 'win32') await removeStaleFile(path)
  // Before listen(), not a chmod() after it: until then, others could connect.
  const before = process.umask(0o177) // leaves rw------- (0600)
  server.listen({ path }) // makes the file at once
  process.umask(before)
  await once(server, 'listening')
}

// 5. Serves one client. An error ends this connection and no other.
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
  // 6. Receive. A pipe has no framing: one piece may hold half a "hello", or
  //    three.
  for await (const bytes of socket) {
    // Step 3 has ended our direction: this is not answered, unlike in Rust.
    if (stop.aborted) break
    // For the log, the decoder keeps a character whole that was split over
    // two reads; the bytes themselves go back as they came.
    const text = decoder.decode(bytes)
    line(`receive: ${text}`)

    // 7. Send. Back-pressure: this waits while the client does not read, and
    //    meanwhile we read nothing from it. Our memory stays bounded; without
    //    `await`, write() would queue everything.
    await write(bytes)
    line(`send: ${text}`)
  }
  // 8. Close our direction as well. In most versions of Node, the end of the
  //    loop has closed the socket already; in the others, this does.
  socket.end()
}
