// Producer: adds jobs to a queue, and knows of each when it is safe there.
//
// Rust twin: ../src/bin/producer.rs. Other half: worker.js.
//
//     npm ci --prefix work-queue/node             # once
//     node work-queue/node/worker.js              # in a second terminal
//     node work-queue/node/producer.js

import { args, wholeNumber } from '../../common/node/args.js'
import { error, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop, unlessOverdue } from '../../common/node/shutdown.js'
import { Broker, place, reason } from './queue.js'

const options = args('Adds numbered jobs to a queue.', {
  ...place,
  message: {
    value: 'TEXT',
    default: 'job',
    help: 'What the jobs are called; each has its number behind it',
  },
  batch: {
    value: 'N',
    default: '1',
    help: 'How many jobs to add at a time',
    parse: text => wholeNumber(text, 1, 10_000),
  },
  ...pace,
})
let broker
let queue

try {
  // 1. Find the broker, and connect.
  broker = await Broker.find(options)
  queue = await broker.connect().catch(failure => {
    throw Error(`${reason(failure)}; is the broker running?`)
  })

  // 2. Make jobs, now and at every tick, until that was all or Ctrl-C.
  let last = 0
  for await (const _ of ticks(options, stop)) {
    const jobs = Array.from({ length: options.batch }, (_, i) =>
      `${options.message} ${last + i + 1}`)
    last += options.batch

    // 3. Add them. Until the broker says that they are on its disk, they are
    //    ours. When the connection breaks before that, nobody knows whether
    //    it has them: so once more. Done twice is better than never, and a
    //    job that must not be done twice has to look at its number.
    for (let stored = false; !stored;) {
      try {
        await unlessOverdue(queue.add(jobs))
        stored = true
      } catch (failure) {
        queue = await broker.connectAgain(queue, failure)
        if (!queue) throw Error(`perhaps not stored: ${jobs.join(', ')}`)
      }
    }

    // 4. Now they are safe, and only now may we forget them.
    for (const job of jobs) line(`stored: ${shown(job)}`)
  }
} catch (failure) {
  error(`Error: ${reason(failure)}`)
  process.exitCode = 1
}
await queue?.close()
await broker?.end()
