// Shared memory within one process: four threads add to one number, and tell
// the main thread when they have done.
//
// Rust twin: ../src/bin/threads.rs.
//
//     node shared-memory/node/threads.js
//     node shared-memory/node/threads.js --each 1000000

import {
  isMainThread, parentPort, Worker, workerData,
} from 'node:worker_threads'
import { args, wholeNumber } from '../../common/node/args.js'
import { line } from '../../common/node/log.js'

const WORKERS = 4
const [VALUE, DONE] = [0, 1]

if (isMainThread) await main()
else work(workerData)

async function main() {
  const { each } = args('Four threads add to one number.', {
    each: {
      value: 'N',
      default: '100000',
      help: 'How often each of the threads adds one',
      parse: text => wholeNumber(text, 0, 100_000_000),
    },
  })

  // 1. Make the numbers. They live while any thread has the buffer.
  const numbers = new Int32Array(new SharedArrayBuffer(8))
  line(`value before: ${Atomics.load(numbers, VALUE)}`)

  // 2. Start the workers. The buffer is not copied: each has the same one.
  const workers = Array.from({ length: WORKERS }, () =>
    new Worker(new URL(import.meta.url), { workerData: { numbers, each } }))
  const answers = workers.map(worker => new Promise((answer, fail) => {
    worker.on('message', answer)
    worker.on('error', fail)
  }))

  // 4. Wait until all have done. Each change wakes us, so look again.
  for (;;) {
    const done = Atomics.load(numbers, DONE)
    if (done === WORKERS) break
    await Atomics.waitAsync(numbers, DONE, done).value
  }
  for (const [index, answer] of answers.entries()) {
    line(`Received from worker ${index + 1}: added ${await answer}`)
  }
  line(`value after: ${Atomics.load(numbers, VALUE)}`)
}

// 3. Adds one, many times; then tells the main thread.
function work({ numbers, each }) {
  for (let turn = 0; turn < each; turn += 1) {
    // One step: nobody can come in between reading and writing.
    Atomics.add(numbers, VALUE, 1)
  }
  Atomics.add(numbers, DONE, 1)
  Atomics.notify(numbers, DONE)
  parentPort.postMessage(each)
}
