// Producer: adds jobs to a queue in RabbitMQ, and knows when each is stored.
//
// Rust twin: ../src/bin/amqp-producer.rs. Other half: amqp-worker.js.
//
//     npm ci --prefix work-queue                  # once
//     sudo service rabbitmq-server start
//     node work-queue/node/amqp-worker.js
//     node work-queue/node/amqp-producer.js       # in a second terminal
//
// Try this: stop RabbitMQ for a while, and start it again.

import { args, wholeNumber } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { answered, stop } from '../../common/node/shutdown.js'
import { close, connect, place, reconnect } from './amqp.js'
import { Backoff } from './work.js'

const options = args('Adds numbered jobs to a queue in RabbitMQ.', {
  ...place,
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
let broker

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Connect.
  broker = await connect(options)

  // 2. Make jobs at each tick, until the last one or Ctrl-C.
  let last = 0
  for await (const _ of ticks(options, stop)) {
    const jobs = []
    for (let i = 0; i < options.batch; i += 1) {
      last += 1
      jobs.push(`${options.message} ${last}`)
    }
    // After Ctrl-C, wait for the answer for one second more.
    await answered(add(jobs)).catch(error => {
      throw Error(`perhaps not stored: ${jobs.join(', ')}: ${error.message}`)
    })
    for (const job of jobs) line(`stored: ${shown(job)}`)
  }
  await close(broker)
}

// 3. Adds the jobs. Until the broker confirms that they are on its disk, this
//    program has to keep them.
//
//    When the connection breaks before that, nobody knows whether the broker
//    has them, so they are added again. This is at-least-once delivery: a job
//    may be done twice, but none is lost.
async function add(jobs) {
  const backoff = new Backoff()
  while (true) {
    try {
      await publish(jobs)
      return
    } catch (error) {
      broker = await reconnect(broker, error, backoff)
    }
  }
}

// 4. Publishes the jobs, and waits until the broker has confirmed each.
async function publish(jobs) {
  const { channel, queue } = broker
  broker.returned = false // amqp.js sets it when a job is returned
  for (const job of jobs) {
    channel.sendToQueue(queue, Buffer.from(job), {
      persistent: true, // on the disk, not only in memory
      mandatory: true, // without such a queue, return the job to us
    })
  }
  await channel.waitForConfirms()
  if (broker.returned) throw Error('publish: the broker returns it')
}
