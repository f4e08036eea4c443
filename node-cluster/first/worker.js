// The first version of a worker. Rust twin: worker.rs.

import cluster from 'node:cluster'
import { createServer } from 'node:net'

const { id } = cluster.worker
const server = createServer(socket => {
  console.log(`[${id}] socket connected`)
  socket.end(`hello from worker ${id}`)
})
server.listen(0, '127.0.0.1') // asks the primary to listen there
