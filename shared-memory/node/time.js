// Measures round trips through shared memory: what parent.js does, without
// pauses and log lines. The benchmark runs it. Rust twin: ../src/bin/time.rs.
//
//     node shared-memory/node/time.js

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { args, wholeNumber } from '../../common/node/args.js'
import { SIZE, views, waitAsync } from './memory.js'

const { message, count } = args('Measures round trips through shared memory.', {
  message: { value: 'TEXT', default: 'hello', help: 'What to send' },
  count: {
    value: 'N',
    default: '100000',
    help: 'The number of round trips',
    parse: text => wholeNumber(text, 0),
  },
})

const buffer = new SharedArrayBuffer(SIZE)
const memory = views(buffer, waitAsync)
const child = new Worker(new URL('child.js', import.meta.url), {
  workerData: buffer,
  env: { QUIET: '1' }, // no log lines: they would take most of the time
})
const times = await measure(memory)
memory.toChild.closeSender()
await once(child, 'exit')
console.log(summary(times))

async function measure({ number, toChild, toParent }) {
  Atomics.store(number, 0, 1)
  Atomics.notify(number, 0)
  while (Atomics.load(number, 0) === 1) await waitAsync(number, 0, 1)
  const outgoing = Buffer.from(message)
  const times = []
  for (let turn = 0; turn < count; turn += 1) {
    const start = performance.now()
    await toChild.send(outgoing)
    await toParent.receive()
    times.push(performance.now() - start)
  }
  return times
}

// Percentiles: p99 is the time that 99 % of the round trips do not exceed.
function summary(times) {
  times.sort((a, b) => a - b)
  const last = Math.max(times.length - 1, 0)
  const percentile = percent => {
    const time = times[Math.floor(last * percent / 100)] ?? 0
    return `${(1000 * time).toFixed(2)} µs`
  }
  return `${times.length} round trips: min ${percentile(0)}, ` +
    `median ${percentile(50)}, p99 ${percentile(99)}, p99.9 ${percentile(99.9)}`
}
