// Shared memory within one process: four threads add to one number, and tell
// the main thread when they are done.
//
// Rust twin: ../src/bin/threads.rs.
//
//     node shared-memory/node/threads.js
//     node shared-memory/node/threads.js --each 1000000
//
// Try this: in `work`, replace `Atomics.add` by `numbers[VALUE] += 1`, as the
// README does. Some of the additions are lost, each time others.

import { once } from 'node:events'
import {
  isMainThread, parentPort, Worker, workerData,
} from 'node:worker_threads'
import { args, wholeNumber } from '../../common/node/args.js'
import { fail, line } from '../../common/node/log.js'

const WORKERS = 4
const VALUE = 0
const DONE = 1

// A worker runs this same file.
if (isMainThread) main().catch(fail)
else work(workerData)

async function main() {
  const { each } = args('Four threads add to one number.', {
    each: {
      value: 'N',
      default: '100000',
      help: 'How many times each thread adds one',
      parse: text => wholeNumber(text, 0, 100_000_000),
    },
  })

  // 1. Make the numbers. A SharedArrayBuffer stays in memory while a thread
  //    uses it. Rust's `Arc` does the same.
  const numbers = new Int32Array(new SharedArrayBuffer(8))
  line(`value before: ${Atomics.load(numbers, VALUE)}`)

  // 2. Start the workers. The buffer is not copied: each has the same one.
  const answers = []
  for (let index = 0; index < WORKERS; index += 1) {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { numbers, each },
    })
    answers.push(once(worker, 'message'))
  }

  // 3. Wait until all are done. The messages below would be enough; this shows
  //    how threads wake each other. Each of them wakes us, so check again.
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

// 4. Adds one, many times, and then wakes the main thread.
function work({ numbers, each }) {
  for (let turn = 0; turn < each; turn += 1) {
    // One atomic step: no other thread can write in between.
    Atomics.add(numbers, VALUE, 1)
  }
  Atomics.add(numbers, DONE, 1)
  Atomics.notify(numbers, DONE)
  parentPort.postMessage(each)
}
