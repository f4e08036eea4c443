// Shared memory parent: makes memory that a child has as well, and talks to it
// through one number and two rings of messages.
//
// Rust twin: ../src/bin/parent.rs, whose child is a process. Here it is a
// thread: a SharedArrayBuffer cannot leave its process (see fork.js). Other
// half: child.js, which this one starts.
//
//     node shared-memory/node/parent.js
//     node shared-memory/node/parent.js --message 你好 --every 500

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { args } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'
import { SIZE, views, waitAsync } from './memory.js'

const { message, ...timing } = args(
  'Says hello to a child thread through shared memory.', {
    message: { value: 'TEXT', default: 'hello', help: 'What to send' },
    ...pace,
  })

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Make the memory. So far only this thread has it. `memory` holds a number
  //    and two rings of messages, one for each direction. At first, all its
  //    bytes are zero.
  const buffer = new SharedArrayBuffer(SIZE)
  const memory = views(buffer, waitAsync) // its fields; how to sleep

  // 2. Start the child. The buffer is not copied: it has the same memory.
  const child = new Worker(new URL('child.js', import.meta.url), {
    workerData: buffer,
  })
  child.on('message', line) // its lines: see child.js

  // 3. Count, then talk, then wait for the child's end. It ends when we close
  //    the rings. (Rust closes them when it drops them, in step 5.)
  //    `ended`: Ctrl-C, or the child is gone. Then nothing waits any more.
  const childGone = new AbortController()
  const exited = once(child, 'exit').finally(() => childGone.abort())
  const ended = AbortSignal.any([stop, childGone.signal])
  ended.addEventListener('abort', () => endAllWaiting(memory))
  let failure
  try {
    await count(memory, ended)
    await talk(memory, ended)
  } catch (error) {
    failure = error
  }
  memory.toChild.closeSender()
  memory.toParent.closeReceiver()
  const [code] = await exited
  line(`Child exited with code ${code}`)
  if (stop.aborted) return
  if (failure) throw failure
  if (code !== 0) throw Error('the child failed')
}

// 4. Count: change one number, and wait until the other side changes it.
async function count({ number }, ended) {
  line(`value before: ${Atomics.load(number, 0)}`)
  // Memory ordering: a thread that loads this 1 also sees all that we wrote
  // before. Atomics always have the strictest ordering; in Rust you choose.
  Atomics.store(number, 0, 1)
  Atomics.notify(number, 0) // wakes a child that waits for a change

  // Sleeps while the number is 1. waitAsync compares once more before it
  // sleeps. Otherwise a child that is faster would change the number and wake
  // nobody: a lost wakeup. Atomics.wait() would keep this thread from all its
  // events, Ctrl-C among them.
  while (Atomics.load(number, 0) === 1) {
    if (ended.aborted) throw Error('no number came')
    await waitAsync(number, 0, 1)
  }
  line(`value after: ${Atomics.load(number, 0)}`)
}

// 5. Talk: send messages and receive them back. A ring is an array of bytes
//    and two counters, which only grow. The sender copies a message into the
//    array, and then raises the counter `sent`. The receiver sees that, copies
//    the message out, and then raises `received`: that space is free again. At
//    its end, the array continues at its beginning.
//
//    Both sleep as in step 4: the receiver while the ring is empty, and the
//    sender while it is full (back-pressure).
async function talk({ toChild, toParent }, ended) {
  for await (const _ of ticks(timing, ended)) {
    line(`send: ${shown(message)}`)
    await toChild.send(Buffer.from(message))
    const echo = await toParent.receive()
    if (!echo) throw Error('the child has closed')
    line(`Received from child: ${shown(String(echo))}`)
  }
}

// Ends all waiting for the child, on Ctrl-C or when it has ended. (In Rust,
// each wait checks for both ten times a second.)
function endAllWaiting({ number, toChild, toParent }) {
  toChild.fail(Error('the child has ended'))
  toParent.fail(Error('the child has ended'))
  Atomics.notify(number, 0)
}
