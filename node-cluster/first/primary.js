// The first version of the primary, which exists in Node only. Its workers:
// worker.js, or its Rust twin worker.rs.

import cluster from 'node:cluster'
import { once } from 'node:events'
import { connect } from 'node:net'

const [program] = process.argv.slice(2)
if (program) process.execPath = program // cluster.fork() runs this, else Node
cluster.setupPrimary({ exec: 'node-cluster/first/worker.js', args: [] })

let port
for (let count = 0; count < 2; count += 1) {
  const worker = cluster.fork()
  const [address] = await once(worker, 'listening')
  port = address.port // the same for all workers
  console.log(`worker ${worker.id} listening on 127.0.0.1:${port}`)
}

for (let count = 0; count < 4; count += 1) {
  const [answer] = await once(connect(port, '127.0.0.1'), 'data')
  console.log(`receive: ${answer}`)
}
