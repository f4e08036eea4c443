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
import { Backoff, perform, untilStop, work as workFlags } from './work.js'

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

// Our name in the group.
const NAME = `worker-${process.pid}`

// How far we have searched for jobs that were not acknowledged.
let cursor = '0-0'
let client

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Connect. This also warns when this Redis may lose jobs in a crash: see
  //    streams.js.
  client = await connect(redis)
  line(`listening on ${shown(queue)}`)

  // 2. Work until Ctrl-C. When the connection breaks, the job in hand is not
  //    acknowledged, so it will come again, to us or to another worker.
  //    On Ctrl-C, work() returns.
  const backoff = new Backoff()
  while (!stop.aborted) {
    try {
      await work(backoff)
    } catch (error) {
      client.destroy() // Rust does so by replacing it
      client = await untilStop(reconnect(redis, error, backoff))
      if (!client) return
      line(`listening on ${shown(queue)} again`)
    }
  }
  client.destroy()
}

// 3. Does one job after the other. Ctrl-C ends the wait for a job, but not the
//    work on one: that has 1.5 seconds until shutdown.js exits.
async function work(backoff) {
  await join()
  for (let job; (job = await untilStop(take()));) {
    await handle(job)
    backoff.reset()
  }
}

// 4. Joins the consumer group, which the first worker creates. It begins at
//    the start of the stream ('0'), so that the jobs that were added before
//    are done as well.
async function join() {
  try {
    await client.xGroupCreate(queue, GROUP, '0', { MKSTREAM: true })
  } catch (error) {
    if (!error.message.startsWith('BUSYGROUP')) throw error
  }
}

// 5. Takes a job: one that was not acknowledged in time, or a new one. It
//    stays in the stream, where it is pending from now on.
async function take() {
  // As bytes: in strings, what is not UTF-8 would be replaced.
  const inBytes = asBytes(client)
  // Wait for one new job, and not for long: perhaps another one has to be
  // taken over by then. Not for several: they are for the other workers.
  const options = { COUNT: 1, BLOCK: Math.min(Math.floor(idle / 2), 1000) }
  while (true) {
    const job = await takeOver(inBytes)
    if (job) return job
    const queues = { key: queue, id: '>' } // '>': what no worker was given yet
    const streams = await inBytes.xReadGroup(GROUP, NAME, queues, options)
    // One stream, and in it one job; or none in time.
    const entry = streams?.[0].messages[0]
    if (entry) return { entry, tries: 1 }
  }
}

// 6. Takes over a job that another worker did not acknowledge within `--idle`:
//    the job failed, or the worker died. A worker that is only slow will do it
//    as well.
async function takeOver(inBytes) {
  const one = { COUNT: 1 }
  const { nextId, messages } =
    await inBytes.xAutoClaim(queue, GROUP, NAME, idle, cursor, one)
  cursor = nextId.toString() // '0-0' after the last one
  const entry = messages.find(message => message)
  if (!entry) return undefined
  // Only XPENDING says how often a job was delivered.
  const { id } = entry
  const [pending] = await client.xPendingRange(queue, GROUP, id, id, 1)
  return { entry, tries: pending?.deliveriesCounter ?? 1 }
}

// 7. Does a job, and acknowledges it afterwards. A worker that dies in between
//    has done it, and it is done again: at-least-once delivery. One that
//    acknowledges first, and then dies, has lost it.
async function handle({ entry, tries }) {
  const bytes = entry.message.job ?? Buffer.of()
  const outcome = await perform(bytes, tries, options)
  if (outcome === 'done') await ack(entry)
  // Requeue a failed one by doing nothing: it is taken over after `--idle`.
  // A poison message, requeued each time, would never end.
  if (outcome === 'poisonous') await deadLetter(entry, bytes)
}

// 8. Acknowledges a job and deletes it, both or neither (MULTI). So the stream
//    holds what is still to be done. To limit its length (MAXLEN) would delete
//    jobs that nobody has done.
async function ack({ id }) {
  const multi = client.multi()
  multi.xAck(queue, GROUP, id)
  multi.xDel(queue, id)
  await multi.exec()
}

// 9. Adds a job to the dead letters, where somebody can look at it, and only
//    then removes it here. In one MULTI, the job would be lost when XADD
//    fails: Redis runs the other commands all the same.
async function deadLetter(entry, bytes) {
  await client.xAdd(`${queue}.dead`, '*', { job: bytes })
  await ack(entry)
}
