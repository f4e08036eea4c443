// Producer: adds jobs to a queue in Redis, and knows when each is stored.
//
// Rust twin: ../src/bin/producer.rs. Other half: worker.js.
//
//     npm ci --prefix work-queue                  # once
//     redis-server --appendonly yes --appendfsync always
//     node work-queue/node/worker.js              # in a second terminal
//     node work-queue/node/producer.js            # in a third
//
// Try this: stop Redis for a while, and start it again.

import { args, wholeNumber } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { answered, stop } from '../../common/node/shutdown.js'
import { connect, reconnect } from './streams.js'
import { Backoff } from './work.js'

const { queue, redis, message, batch, ...timing } = args(
  'Adds numbered jobs to a queue in Redis.', {
    queue: {
      positional: true,
      default: 'jobs',
      help: "The queue's name: the key of a stream",
    },
    redis: {
      value: 'URL',
      default: 'redis://127.0.0.1:6379',
      help: 'Where Redis is',
    },
    message: {
      value: 'TEXT',
      default: 'job',
      help: 'What the jobs are called; each has its number after it',
    },
    batch: {
      value: 'N',
      default: '1',
      help: 'How many jobs to add at a time',
      parse: text => wholeNumber(text, 1, 10_000),
    },
    ...pace,
  })
let client

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Connect. This also warns when this Redis may lose jobs in a crash: see
  //    streams.js.
  client = await connect(redis)

  // 2. Make jobs at each tick, until the last one or Ctrl-C.
  let last = 0
  for await (const _ of ticks(timing, stop)) {
    const jobs = []
    for (let i = 0; i < batch; i += 1) {
      last += 1
      jobs.push(`${message} ${last}`)
    }
    // After Ctrl-C, wait for the answer for one second more.
    await answered(add(jobs)).catch(error => {
      throw Error(`perhaps not stored: ${jobs.join(', ')}: ${error.message}`)
    })
    for (const job of jobs) line(`stored: ${shown(job)}`)
  }
  client.destroy()
}

// 3. Adds the jobs. Until Redis confirms that they are on its disk, this
//    program has to keep them.
//
//    When the connection breaks before that, nobody knows whether Redis has
//    them, so they are added again. This is at-least-once delivery: a job may
//    be done twice, but none is lost.
async function add(jobs) {
  const backoff = new Backoff()
  while (true) {
    try {
      // Sent in one go: one write to the disk for all of them.
      await Promise.all(jobs.map(job => client.xAdd(queue, '*', { job })))
      return
    } catch (error) {
      client.destroy()
      client = await reconnect(redis, error, backoff)
    }
  }
}
