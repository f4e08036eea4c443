// Worker: takes jobs from a queue, and acknowledges each once it is done.
//
// Rust twin: ../src/bin/worker.rs. Other half: producer.js.
//
//     npm ci --prefix work-queue/node             # once
//     node work-queue/node/worker.js
//     node work-queue/node/producer.js            # in a second terminal

import { setTimeout as sleep } from 'node:timers/promises'
import { args, wholeNumber } from '../../common/node/args.js'
import { error, escaped, line, ready, shown } from '../../common/node/log.js'
import { Broker, place, reason, taking, untilStop } from './queue.js'

const options = args('Takes jobs from a queue and does them.', {
  ...place,
  ...taking,
  work: {
    value: 'MS',
    default: '0',
    help: 'Milliseconds of work that each job is',
    parse: text => wholeNumber(text, 0, 86_400_000),
  },
  fail: { value: 'TEXT', help: 'Fail at jobs that contain this' },
  tries: {
    value: 'N',
    default: '3',
    help: 'After how many failures a job becomes a dead letter',
    parse: text => wholeNumber(text, 0),
  },
})
const name = escaped(options.queue)
let broker
let queue

try {
  // 1. Find the broker, and connect.
  broker = await Broker.find(options)
  queue = await broker.connect().catch(failure => {
    throw Error(`${reason(failure)}; is the broker running?`)
  })
  ready(`listening on ${name}`)

  // 2. Work until Ctrl-C. When the broker goes away, the job in hand is not
  //    acknowledged and will come again, to us or to another worker.
  while (queue) {
    try {
      await serve()
      break
    } catch (failure) {
      queue = await broker.connectAgain(queue, failure)
      if (queue) line(`listening on ${name} again`)
    }
  }
} catch (failure) {
  error(`Error: ${reason(failure)}`)
  process.exitCode = 1
}
await queue?.close()
await broker?.end()

async function serve() {
  // 3. Take a job. Ctrl-C ends the wait for one, and not the work; but after
  //    a second and a half it is cut, and the job comes again.
  for (let job; (job = await untilStop(queue.next()));) {
    const text = shown(job.text)
    line(`taken: ${text}`)

    // 4. Do it, and only then acknowledge it. A worker that dies in between
    //    has done it, and it is done twice; one that would acknowledge first
    //    and die, would have lost it.
    const failure = await perform(job)
    if (!failure) {
      line(`done: ${text}`)
      await queue.done()
    } else if (job.tries < options.tries) {
      line(`failed: ${text} (${failure})`)
      await queue.again()
    } else {
      // 5. It fails over and over. Tried for ever, it would keep all workers
      //    busy; thrown away, nobody could find out why.
      line(`dead letter: ${text} (${failure})`)
      await queue.bury()
    }
  }
}

// The work itself: here a pause, or a failure. Answers why it failed.
async function perform({ text, tries }) {
  // A job may also be handed out that often because each worker dies of it.
  // That one is not even begun.
  if (tries > options.tries) return 'given up'
  if (options.work > 0) await sleep(options.work)
  const fails = options.fail !== undefined && text.includes(options.fail)
  return fails ? `try ${tries} of ${options.tries}` : undefined
}
