// Connecting to RabbitMQ, and connecting again. AMQP 0-9-1 is its protocol.
// Rust twin: ../src/amqp.rs.

import { on } from 'node:events'
import { missing } from '../../common/node/packages.js'
import { check } from '../../common/node/url.js'

const { default: amqplib } = await import('amqplib').catch(missing)

// After how many deliveries the broker itself drops a job. Never reached, as
// the worker makes it a dead letter long before. But RabbitMQ 4 sets 20 if we
// set nothing, and the twins must set the same.
const DELIVERY_LIMIT = 1000

/** Where the queue is: arguments of both halves. */
export const place = {
  queue: { positional: true, default: 'jobs', help: "The queue's name" },
  amqp: {
    value: 'URL',
    default: 'amqp://127.0.0.1:5672',
    help: 'Where RabbitMQ is',
  },
}

/** Connects, and declares both queues. */
export async function connect({ queue, amqp }) {
  const options = parse(amqp)
  const dead = `${queue}.dead`
  checkName(queue)
  let connection
  try {
    connection = await amqplib.connect(options, {
      timeout: 30_000,
      noDelay: true, // disable Nagle's algorithm
    })
  } catch (error) {
    const { host } = new URL(amqp)
    const why = `connect to ${host}: ${error.message || error.code}`
    if (isRefusal(error)) throw Error(why)
    throw Error(`${why}; start RabbitMQ: rabbitmq-server`)
  }
  // Without a listener, Node would end with an uncaught 'error' event. The
  // event 'close' comes after it.
  connection.on('error', () => {})
  const channel = await connection.createConfirmChannel()
  const broker = { connection, channel, queue, dead, amqp }
  // Why the broker closed the channel. What is awaited then rejects, but says
  // only "channel closed".
  channel.on('error', error => { broker.failure = error })
  // The broker returns what is `mandatory` and finds no queue.
  channel.on('return', () => { broker.returned = true })

  // Both halves declare the queues, so either one may come first. A quorum
  // queue is always on the disk, and counts deliveries.
  for (const name of [queue, dead]) {
    await channel.assertQueue(name, {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': DELIVERY_LIMIT,
      },
    })
  }
  return broker
}

/**
 * Connects again after `error`, with exponential backoff. Throws when the
 * broker answers that we may not do this: waiting cannot help.
 */
export async function reconnect(broker, error, backoff) {
  // Rust closes the old connection by replacing it. Not awaited here, as
  // perhaps nobody answers.
  close(broker)
  let why = broker.failure ?? error // the broker's own words say more
  while (true) {
    if (isRefusal(why)) throw why
    await backoff.wait(why)
    try {
      return await connect(broker)
    } catch (failure) {
      why = failure
    }
  }
}

/**
 * Keeps the jobs that are pushed until they are awaited: `next()` resolves to
 * the next one. It rejects when the connection has ended, and when the broker
 * has deleted the queue.
 */
export function inbox(channel) {
  // 'job' is an event of ours, and `on` makes of it something to await.
  const jobs = on(channel, 'job', { close: ['close'] })
  return {
    push(job) {
      if (job) channel.emit('job', job)
      else channel.emit('error', Error('the broker deleted the queue'))
    },
    async next() {
      const { value, done } = await jobs.next()
      if (done) throw Error('the connection ended')
      return value[0]
    },
  }
}

// Whether the broker answered that this is not allowed, or that the queue
// exists with other properties.
function isRefusal({ message }) {
  // amqplib does not say why a connection was not opened.
  return /\b(403|406|530) \(|got <ConnectionClose/.test(message)
}

/**
 * Ends the connection. An acknowledgement has no answer, but the end of the
 * channel has one, which comes after all of them.
 */
export async function close({ connection, channel }) {
  try {
    await channel.close()
    await connection.close()
  } catch {} // closed already
}

// A queue's name. AMQP allows 255 bytes.
function checkName(queue) {
  if (queue === '') throw Error('a queue without a name')
  if (Buffer.byteLength(`${queue}.dead`) > 255) {
    throw Error("the queue's name is too long")
  }
}

// What amqplib needs of a URL. It would decode a password as Latin-1.
function parse(text) {
  check(text, ['amqp'])
  const url = new URL(text)
  const vhost = url.pathname.slice(1) // amqp://host/ is amqp://host
  if (Buffer.byteLength(decodeURIComponent(vhost)) > 255) {
    throw Error("the virtual host's name is too long")
  }
  return {
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port,
    username: decodeURIComponent(url.username || 'guest'),
    password: decodeURIComponent(url.password || 'guest'),
    vhost,
  }
}
