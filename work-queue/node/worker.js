// Worker: takes jobs from a queue in Redis, and acknowledges each once it is
// done.
//
// Rust twin: ../src/bin/worker.rs. Other half: producer.js.
//
//     npm ci --prefix work-queue                  # once
//     redis-server --appendonly yes --appendfsync always
//     node work-queue/node/worker.js              # in a second terminal
//     node work-queue/node/producer.js            # in a third
//
// Try this: `--work 5000`, kill the worker while it works, start another.

import { args, wholeNumber } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'
import { asBytes, connect, reconnect } from './streams.js'
import { Job, deadLetter, takeOver } from './streams-retry.js'
import { Backoff, perform, untilStop, workFlags } from './work.js'

const options = args('Takes jobs from a queue in Redis and does them.', {
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
  idle: {
    value: 'MS',
    default: '30000',
    help: 'Milliseconds after which a job that is not acknowledged goes to ' +
      'another worker',
    parse: text => wholeNumber(text, 10),
  },
  ...workFlags,
})
const { queue, redis, idle } = options

// All workers are one consumer group: each job goes to one of them.
const GROUP = 'workers'

// For how many milliseconds to wait for a new job, before we look again for
// one that was not acknowledged in time.
const WAIT = 500

let client

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Connect. This also warns when this Redis may lose jobs in a crash.
  client = await connect(redis)
  line(`listening on ${shown(queue)}`)

  // 2. Work until Ctrl-C. When the connection breaks, the job in hand is not
  //    acknowledged, so it will come again, to us or to another worker.
  //    On Ctrl-C, work() returns.
  const backoff = new Backoff() // exponential: each pause is longer
  while (!stop.aborted) {
    try {
      await work(backoff)
    } catch (error) {
      client.destroy() // Rust does so by replacing it
      client = await untilStop(reconnect(redis, error, backoff))
      if (!client) return // Ctrl-C
      line(`listening on ${shown(queue)} again`)
    }
  }
  client.destroy()
}

// 3. Does one job after the other. Ctrl-C ends the wait for a job, but not the
//    work on one: that has 1.5 seconds until shutdown.js exits.
async function work(backoff) {
  await join()
  while (true) {
    const job = await untilStop(take())
    if (!job) return // Ctrl-C
    await handle(job)
    backoff.reset() // only now: a job is done
  }
}

// 4. Joins the consumer group, which the first worker creates. It begins at
//    the start of the stream ('0'), so that the jobs that were added before
//    are done as well.
async function join() {
  try {
    await client.xGroupCreate(queue, GROUP, '0', { MKSTREAM: true })
  } catch (error) {
    if (!error.message.startsWith('BUSYGROUP')) throw error // else: it exists
  }
}

// 5. Takes a job: one that another worker did not acknowledge within `--idle`,
//    as it failed or died; or a new one. The job stays in the stream, where it
//    is pending from now on.
async function take() {
  const name = `worker-${process.pid}` // ours in the group
  // One job and no more: the next ones are for the other workers.
  const onlyOne = { COUNT: 1, BLOCK: WAIT }
  while (true) {
    const overdue = await takeOver(client, queue, GROUP, name, idle)
    if (overdue) return overdue
    const queues = { key: queue, id: '>' } // '>': what no worker was given yet
    // As bytes: in strings, what is not UTF-8 would be replaced.
    const inBytes = asBytes(client)
    const streams = await inBytes.xReadGroup(GROUP, name, queues, onlyOne)
    // One stream, and in it one job; or none in time.
    const entry = streams?.[0].messages[0]
    if (entry) return new Job(entry, 1) // its first delivery
  }
}

// 6. Does a job, and acknowledges it afterwards. A worker that dies in between
//    has done it, and it is done again: at-least-once delivery. One that
//    acknowledges first, and then dies, has lost it.
async function handle(job) {
  // Prints `taken` and `done`. The work is only a pause here: see `--work`.
  const outcome = await perform(job.bytes, job.tries, options)
  if (outcome === 'done') await ack(job)
  // Requeue a failed one by doing nothing: it is taken over after `--idle`.
  // A poison message, requeued each time, would never end.
  if (outcome === 'poisonous') {
    await deadLetter(client, queue, job)
    await ack(job)
  }
}

// 7. Acknowledges a job and deletes it, both or neither (MULTI). So the stream
//    holds what is still to be done. To limit its length (MAXLEN) would delete
//    jobs that nobody has done.
async function ack({ id }) {
  const multi = client.multi()
  multi.xAck(queue, GROUP, id)
  multi.xDel(queue, id)
  await multi.exec()
}
