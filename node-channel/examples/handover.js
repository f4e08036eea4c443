// A server that hands its listening socket to a Rust process and leaves.
//
//     cargo build -p node-channel --examples
//     node node-channel/examples/handover.js target/debug/examples/handover

import { spawn } from 'node:child_process'
import { createServer } from 'node:net'

const stdio = ['pipe', 'inherit', 'inherit', 'ipc']
const child = spawn(process.argv[2] ?? 'target/debug/examples/handover', { stdio })
child.on('exit', code => { process.exitCode = code ?? 1 })

const server = createServer(socket => {
  socket.on('error', () => {}) // one that has left already harms nobody
  // A single connection can be handed over as well.
  if (handing) child.send('socket', socket)
  else socket.end('Node\n')
})
let handing = false
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on ${server.address().address}:` +
    server.address().port)
})

// Each line on stdin is the next step.
const steps = [
  () => {
    child.send('server', server)
    // Messages keep their order: a connection comes behind the server.
    handing = true
    console.log('handing over')
  },
  () => server.close(() => console.log('closed here')),
  () => child.send('enough'),
]
process.stdin.on('data', () => steps.shift()?.())
process.stdin.on('end', () => child.connected && child.disconnect())
child.on('message', message => console.log(message))
