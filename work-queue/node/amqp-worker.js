// Worker: takes jobs from a queue in RabbitMQ, and acknowledges each once it
// is done.
//
// Rust twin: ../src/bin/amqp-worker.rs. Other half: amqp-producer.js.
//
//     npm ci --prefix work-queue                  # once
//     sudo service rabbitmq-server start
//     node work-queue/node/amqp-worker.js
//     node work-queue/node/amqp-producer.js       # in a second terminal
//
// Try this: `--work 5000`, kill the worker while it works, start another.

import { args, wholeNumber } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'
import { close, connect, inbox, place, reconnect } from './amqp.js'
import { deadLetter, tries } from './amqp-retry.js'
import { Backoff, perform, untilStop, workFlags } from './work.js'

const options = args('Takes jobs from a queue in RabbitMQ and does them.', {
  ...place,
  prefetch: {
    value: 'N',
    default: '1',
    help: 'How many jobs to hold at a time; no other worker gets them',
    parse: text => wholeNumber(text, 1, 65535),
  },
  ...workFlags,
})
let broker

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Connect.
  broker = await connect(options)
  line(`listening on ${shown(options.queue)}`)

  // 2. Work until Ctrl-C. When the connection breaks, the job in hand is not
  //    acknowledged, so it will come again, to us or to another worker.
  //    On Ctrl-C, work() returns.
  const backoff = new Backoff() // exponential: each pause is longer
  while (!stop.aborted) {
    try {
      await work(backoff)
    } catch (error) {
      broker = await untilStop(reconnect(broker, error, backoff))
      if (!broker) return // Ctrl-C
      line(`listening on ${shown(options.queue)} again`)
    }
  }
  await close(broker)
}

// 3. Does one job after the other. Ctrl-C ends the wait for a job, but not the
//    work on one: that has 1.5 seconds until shutdown.js exits.
async function work(backoff) {
  const { channel, queue } = broker
  // Back-pressure: the broker pushes jobs to us, at most `--prefetch` that are
  // not acknowledged. Without a limit it would send all it has.
  await channel.prefetch(options.prefetch)
  // The package calls a function for each job. An inbox (see amqp.js) keeps
  // them until we await the next one, as in Rust.
  const jobs = inbox(channel)
  await channel.consume(queue, jobs.push) // with acknowledgements: no `noAck`
  while (true) {
    const job = await untilStop(jobs.next()) // rejects on an error
    if (!job) return // Ctrl-C
    await handle(job)
    backoff.reset() // only now: a job is done
  }
}

// 4. Does a job, and acknowledges it afterwards. A worker that dies in between
//    has done it, and it is done again: at-least-once delivery. One that
//    acknowledges first, and then dies, has lost it.
async function handle(job) {
  // Prints `taken` and `done`. The work is only a pause here: see `--work`.
  const outcome = await perform(job.content, tries(job), options)
  if (outcome === 'done') ack(job)
  if (outcome === 'failed') requeue(job)
  // A poison message. Requeued each time, it would never end.
  if (outcome === 'poisonous') {
    await deadLetter(broker, job)
    ack(job)
  }
}

// 5. Acknowledges a job: the broker deletes it.
function ack(job) {
  broker.channel.ack(job)
}

// 6. Puts a job back into the queue: the broker delivers it at once.
function requeue(job) {
  const requeue = true // otherwise the broker deletes it
  broker.channel.nack(job, false, requeue)
}
