// Shared memory child: gets the memory that its parent made, changes the
// number in it, and sends back each message.
//
// Rust twin: ../src/bin/child.rs, a process and not a thread. Other half:
// parent.js, which starts it. How messages pass through memory: ring.js.
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
  // 1. Find the memory that the parent made.
  if (isMainThread) {
    args('Sends back what its parent sends through shared memory.', {})
    throw Error(ADVICE)
  }
  const memory = views(workerData, Atomics.wait) // the number and two rings

  // 2. Talk until the parent has closed its rings. If it dies, so do we: we
  //    are a thread of the same process. Ctrl-C is the parent's affair, too.
  count(memory)
  await echo(memory)
}

// 3. Count: wait for the other side to change the number, and change it.
function count({ number }) {
  Atomics.wait(number, 0, 0)
  line(`child: value before: ${Atomics.load(number, 0)}`)

  // One atomic step. `number[0] += 41` would be two, and if the other thread
  // wrote in between, its change would be lost ("lost update").
  const after = Atomics.add(number, 0, 41) + 41
  Atomics.notify(number, 0)
  line(`child: value after: ${after}`)
}

// 4. Echo: send back each message, until the parent sends no more.
async function echo({ toChild, toParent }) {
  for (;;) {
    const message = await toChild.receive()
    if (!message) break
    line(`child: Received from parent: ${shown(String(message))}`)
    if (!await toParent.send(message)) break
  }
  toParent.closeSender()
  toChild.closeReceiver()
}
