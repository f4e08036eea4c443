// Shared memory parent: makes the memory, starts the child with it, and
// talks to it through a number and two rings of messages.
//
// Rust twin: ../src/bin/parent.rs. Other half: child.js, here a thread and
// not a process: a SharedArrayBuffer cannot leave its process (fork.js).
//
//     node shared-memory/node/parent.js
//     node shared-memory/node/parent.js --message 你好 --every 500
//     node shared-memory/node/parent.js --time

import { error, line, ready, shown } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'
import { parentArgs } from './args.js'
import { start } from './family.js'
import { create, sleepAsync, views } from './memory.js'
import { summary } from './timing.js'

const { message, time, quiet, turns } = parentArgs()

// 1. Make the memory: zeros, so far only ours.
const memory = views(create(), sleepAsync)
const { number, toChild, toParent } = memory

// 2. Start the child, with the memory.
const ended = start(memory, quiet, fail)

// 3. One number: whoever changes it tells the other.
async function count() {
  line(`value before: ${Atomics.load(number, 0)}`)
  Atomics.store(number, 0, 1)
  Atomics.notify(number, 0)

  // Sleeps while it is 1. It compares once more before it sleeps: a child
  // that was quicker is not missed. Atomics.wait() would do the same and
  // hold up all events of this thread, Ctrl-C among them.
  while (Atomics.load(number, 0) === 1) {
    if (stop.aborted || ended.aborted) throw Error('no number came')
    await Atomics.waitAsync(number, 0, 1).value
  }
  line(`value after: ${Atomics.load(number, 0)}`)
}

// 4. Messages, in a ring for each direction.
async function talk() {
  const outgoing = Buffer.from(message)
  const times = []
  for await (const _ of turns(ended)) {
    line(`send: ${shown(message)}`)
    const begin = performance.now()
    await toChild.send(outgoing)
    const echo = await toParent.receive()
    if (time) times.push(performance.now() - begin)
    if (!echo) throw Error('receive: the other side has closed')
    line(`Received from child: ${shown(echo)}`)
    if (!outgoing.equals(echo)) throw Error('this is not what was sent')
  }
  if (time && !stop.aborted) ready(summary(times))
}

// 5. Both rings are closed: the child hears that, and ends.
try {
  await count()
  await talk()
} catch (error) {
  fail(error)
}
toChild.closeSender()
toParent.closeReceiver()

function fail({ message }) {
  if (stop.aborted) return
  error(`Error: ${message}`)
  process.exitCode = 1
}
