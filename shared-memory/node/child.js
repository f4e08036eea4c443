// Shared memory child: gets the memory that its parent made, changes the
// number in it, and sends back each message.
//
// Rust twin: ../src/bin/child.rs, a process and not a thread. Other half:
// parent.js, which starts it.
//
//     node shared-memory/node/parent.js
//
// Try this: node shared-memory/node/child.js, without a parent.

import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { args } from '../../common/node/args.js'
import { fail, shown } from '../../common/node/log.js'
import { views } from './memory.js'

const ADVICE = 'no parent has given memory to this child; ' +
  'start the parent: node shared-memory/node/parent.js'

// A worker's console.log() needs the main thread, and is delayed until this
// thread waits for events. It never does: Atomics.wait() blocks it. So the
// parent prints our lines.
const line = text => {
  if (!process.env.QUIET) parentPort.postMessage(text)
}

main().catch(fail)

async function main() {
  // 1. Find the memory that the parent made. It has the same fields: a number,
  //    and a ring of messages for each direction.
  if (isMainThread) {
    args('Sends back what its parent sends through shared memory.', {})
    throw Error(ADVICE)
  }
  const memory = views(workerData, Atomics.wait) // its fields; how to sleep

  // 2. Count, then echo until the parent has closed its rings. If it dies, so
  //    do we: we are a thread of the same process. Ctrl-C is the parent's
  //    affair, too.
  count(memory)
  await echo(memory)
}

// 3. Count: wait for the other side to change the number, and change it.
function count({ number }) {
  // Sleeps while the number is 0: the parent's `notify` ends this.
  while (Atomics.load(number, 0) === 0) Atomics.wait(number, 0, 0)
  line(`child: value before: ${Atomics.load(number, 0)}`)

  // One atomic step. `number[0] += 41` would be two, and if the other thread
  // wrote in between, its change would be lost ("lost update").
  const after = Atomics.add(number, 0, 41) + 41
  Atomics.notify(number, 0)
  line(`child: value after: ${after}`)
}

// 4. Echo: send back each message, until the parent sends no more. What a ring
//    is stands in the parent, in step 5.
async function echo({ toChild, toParent }) {
  for (;;) {
    const message = await toChild.receive() // sleeps while the ring is empty
    if (!message) break // closed
    line(`child: Received from parent: ${shown(String(message))}`)
    const isSent = await toParent.send(message) // sleeps while it is full
    if (!isSent) break // closed
  }
  toParent.closeSender()
  toChild.closeReceiver()
}
