// Worker: serves clients of a port that its primary owns. It tells each client
// its number, and then sends back whatever the client sends.
//
// Rust twin: ../src/bin/worker.rs. Other half: primary.js, which starts this.
//
//     node node-cluster/node/worker.js          # no primary: says so
//     node node-cluster/node/primary.js
//
// Try this: kill the primary, with `kill -9`, and watch the workers end.

import cluster from 'node:cluster'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { address, args } from '../../common/node/args.js'
import { error, fail, line } from '../../common/node/log.js'
import { stopped } from '../../common/node/shutdown.js'

const { address: { host, port } } = args('Serves clients in a cluster.', {
  address: {
    positional: true,
    default: '127.0.0.1:0',
    help: 'Where the primary is to listen; port 0: one that the system chooses',
    parse: address,
  },
})
const ADVICE = 'start node-cluster/node/primary.js, which starts workers'

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Join the cluster. NODE_UNIQUE_ID is our number, and NODE_CHANNEL_FD the
  //    channel to the primary. Node has found both before this line, and has
  //    told the primary that this worker is `online`.
  if (!cluster.isWorker) {
    throw Error(`join a cluster: NODE_UNIQUE_ID is not set; ${ADVICE}`)
  }
  const { worker } = cluster

  // 2. Listen: the primary opens the port, or has opened it for another
  //    worker. Nothing listens in this process.
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  server.listen({ host, port })
  await once(server, 'listening')

  // 3. Serve clients, until the primary has us leave, or Ctrl-C. With each
  //    message `newconn` comes a connected socket.
  server.on('connection', socket => serve(socket, worker.id))
  await Promise.race([stopped, once(worker, 'disconnect')])

  // 4. Leave: give the port back, so that no more clients come, and close the
  //    channel. Those who are connected are served: this process ends when
  //    the last one has gone, and the primary waits for that.
  if (worker.isConnected()) worker.disconnect()
}

// 5. Serves one client. An error ends this connection, and not the worker.
async function serve(socket, id) {
  line(`[${id}] socket connected`)
  try {
    await echo(socket, id)
  } catch ({ message }) {
    error(`[${id}] socket: ${message}`)
  }
}

// 6. Says who serves, and sends back what arrives, until the client
//    half-closes.
async function echo(socket, id) {
  const write = promisify(socket.write).bind(socket) // returns a promise
  await write(`worker ${id}: `)
  for await (const bytes of socket) await write(bytes)
  socket.end()
}
