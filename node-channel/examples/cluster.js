// The primary of a cluster whose workers are Rust programs.
//
//     cargo build -p node-channel --examples
//     node node-channel/examples/cluster.js target/debug/examples/worker
//     node node-channel/examples/cluster.js target/debug/examples/worker shared

import cluster from 'node:cluster'
import { get } from 'node:http'

const [exec = 'target/debug/examples/worker', mode] = process.argv.slice(2)
const shared = mode === 'shared'
cluster.schedulingPolicy = shared ? cluster.SCHED_NONE : cluster.SCHED_RR
// Without `args`, the workers would get the arguments of this program.
cluster.setupPrimary({ exec, args: [], execArgv: [] })
// cluster.fork() starts `process.execPath` with `exec` as its script, and has
// no option for it: so the program is put in Node's place.
process.execPath = exec

const workers = [cluster.fork(), cluster.fork()]
for (const worker of workers) {
  worker.on('online', () => console.log(`worker ${worker.id} online`))
  worker.on('exit', (code, signal) => console.log(`worker ${worker.id} ` +
    `exit ${code ?? signal} on purpose ${worker.exitedAfterDisconnect}`))
}
const listening = worker => new Promise(resolve =>
  worker.once('listening', ({ address, port }) => resolve({ address, port })))
const [{ port }, second] = await Promise.all(workers.map(listening))
if (port !== second.port) throw Error('two ports')

const fetched = () => new Promise((resolve, reject) => {
  get({ host: '127.0.0.1', port, agent: false }, async answer => {
    let text = ''
    for await (const piece of answer) text += piece
    resolve(text)
  }).on('error', reject)
})
const counts = {}
for (let i = 0; i < 40; i++) {
  const text = await fetched()
  counts[text] = (counts[text] ?? 0) + 1
}
console.log(shared ? `answers ${Object.values(counts).reduce((a, b) => a + b)}`
  : JSON.stringify(Object.fromEntries(Object.entries(counts).sort())))

// Messages go both ways, as with any worker.
workers[0].send({ echo: 'é' })
workers[0].once('message', message => {
  console.log(JSON.stringify(message))
  workers[0].send('leave') // the worker leaves by itself
  workers[1].disconnect() // the primary wants it to leave
})
