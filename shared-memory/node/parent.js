// Shared memory parent: makes the memory, starts the child with it, and
// talks to it through a number and two rings of messages.
//
// Rust twin: ../src/bin/parent.rs. Other half: child.js, here a thread and
// not a process: a SharedArrayBuffer cannot leave its process (fork.js).
//
//     node shared-memory/node/parent.js
//     node shared-memory/node/parent.js --message 你好 --every 500
//     node shared-memory/node/parent.js --time

import { Worker } from 'node:worker_threads'
import { args } from '../../common/node/args.js'
import {
  error, line, ready, setQuiet, shown,
} from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'
import { create, sleepAsync, views } from './memory.js'
import { summary, turns } from './timing.js'

const given = args('Says hello to a child thread through shared memory.', {
  message: { value: 'TEXT', default: 'hello', help: 'What to send' },
  ...pace,
  time: {
    help: 'Send without a pause and print only how long a round trip takes, ' +
      'of 100000 unless --count says otherwise',
  },
})
const { message, time } = given
const quiet = given.quiet || time
setQuiet(quiet)

// 1. Make the memory: zeros, so far only ours.
const buffer = create()
const { number, toChild, toParent } = views(buffer, sleepAsync)

// 2. Start the child, with the memory. Its lines come as messages: see
//    child.js.
const child = new Worker(new URL('child.js', import.meta.url), {
  workerData: { buffer, quiet },
})
const ended = new AbortController()
child.on('message', line)
child.on('error', fail)
child.on('exit', code => {
  ended.abort()
  wakeUp(Error('the child is gone'))
  line(`Child exited with code ${code}`)
})
stop.addEventListener('abort', () => wakeUp(Error('stopped')))

// Wherever we wait, there is nothing to wait for any more.
function wakeUp(why) {
  toChild.fail(why)
  toParent.fail(why)
  Atomics.notify(number, 0)
}

function fail({ message }) {
  if (stop.aborted) return
  error(`Error: ${message}`)
  process.exitCode = 1
}

// 3. One number: whoever changes it tells the other.
async function count() {
  line(`value before: ${Atomics.load(number, 0)}`)
  Atomics.store(number, 0, 1)
  Atomics.notify(number, 0)

  // Sleeps while it is 1. It compares once more before it sleeps: a child
  // that was quicker is not missed. Atomics.wait() would do the same and
  // hold up all events of this thread, Ctrl-C among them.
  while (Atomics.load(number, 0) === 1) {
    if (stop.aborted || ended.signal.aborted) throw Error('no number came')
    await Atomics.waitAsync(number, 0, 1).value
  }
  line(`value after: ${Atomics.load(number, 0)}`)
}

// 4. Messages, in a ring for each direction.
async function talk() {
  const outgoing = Buffer.from(message)
  const times = []
  const due = time ? turns(given.count) : ticks(given, ended.signal)
  for await (const _ of due) {
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
