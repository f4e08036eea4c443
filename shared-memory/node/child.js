// Shared memory child: finds the memory that its parent made, changes the
// number in it, and sends back each message.
//
// Rust twin: ../src/bin/child.rs. Other half: parent.js, which starts it:
//
//     node shared-memory/node/parent.js
//
// Try this: node shared-memory/node/child.js, without a parent.

import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { args } from '../../common/node/args.js'
import { error, shown } from '../../common/node/log.js'
import { sleep, views } from './memory.js'

if (isMainThread) {
  args('Sends back what its parent sends through shared memory.', {})
  error('Error: this child has no memory from a parent; ' +
    'start it: node shared-memory/node/parent.js')
  process.exit(1)
}

// A worker's console.log() needs the main thread's answers, which are events;
// one that sleeps in Atomics.wait() hears none, and its lines would come when
// it ends. A message leaves at once.
const say = text => workerData.quiet || parentPort.postMessage(text)

// 1. Find the memory that the parent made.
// 2. (When the parent dies, so do we: we are a thread of the same process.)
const { number, toChild, toParent } = views(workerData.buffer, sleep)

// 3. One number: whoever changes it tells the other.
Atomics.wait(number, 0, 0)
say(`child: value before: ${Atomics.load(number, 0)}`)

// One step, in which nobody else can change it. `number[0] += 41` would be
// two, and lose what the other one did in between.
const after = Atomics.add(number, 0, 41) + 41
Atomics.notify(number, 0)
say(`child: value after: ${after}`)

// 4. Send back each message, until the parent has no more.
for (;;) {
  const message = await toChild.receive()
  if (!message) break
  say(`child: Received from parent: ${shown(message)}`)
  await toParent.send(message)
}

// 5. The parent has closed.
toParent.closeSender()
toChild.closeReceiver()
