// The queue in RabbitMQ, over its protocol AMQP 0-9-1. Rust twin:
// ../src/amqp.rs.
//
// The broker hands jobs to a worker by itself, as many as it is allowed to
// have unacknowledged (`prefetch`). When a worker's connection ends, what it
// had not acknowledged goes to another.

import amqplib from 'amqplib'

// After how many deliveries the broker itself gives a job up. Never reached:
// the worker buries a job long before. But later versions have a limit of 20
// unless one is set, and the twins must set the same.
const DELIVERY_LIMIT = 1000

/** Connects to the RabbitMQ at `url`; makes the queues where there are none. */
export async function connect(url, { queue, prefetch }) {
  const connection = await amqplib.connect(url, {
    timeout: 30_000,
    noDelay: true,
  })
  connection.on('error', () => {}) // 'close' comes after it
  const channel = await connection.createConfirmChannel()

  // A quorum queue is always on the disk, and counts deliveries. Both halves
  // declare it, so either one may come first.
  const dead = `${queue}.dead`
  for (const name of [queue, dead]) {
    await channel.assertQueue(name, {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': DELIVERY_LIMIT,
      },
    })
  }
  await channel.prefetch(prefetch)
  return new Queue(connection, channel, queue, dead)
}

class Queue {
  #connection
  #channel
  #queue
  #dead
  #consuming = false
  // Delivered, and not yet handed out by next().
  #waiting = []
  #wake = () => {}
  // Why nothing more will come.
  #ended
  // Handed out, and not yet done.
  #taken
  #refused = false

  constructor(connection, channel, queue, dead) {
    this.#connection = connection
    this.#channel = channel
    this.#queue = queue
    this.#dead = dead
    const end = why => {
      this.#ended ??= why
      this.#wake()
    }
    channel.on('error', end)
    channel.on('close', () => end(Error('the connection ended')))
    connection.on('close', () => end(Error('the connection ended')))
    channel.on('return', () => { this.#refused = true })
  }

  async add(jobs) {
    await this.#publish(this.#queue, jobs.map(job => Buffer.from(job)))
  }

  // Publishes, and waits until the broker has confirmed all of them.
  async #publish(queue, jobs) {
    this.#refused = false
    for (const job of jobs) {
      this.#channel.sendToQueue(queue, job, {
        persistent: true, // on the disk, not only in memory
        mandatory: true, // back to us, rather than lost, without a queue
      })
    }
    await this.#channel.waitForConfirms()
    if (this.#refused) throw Error('publish: the broker sends it back')
  }

  async next() {
    if (!this.#consuming) {
      this.#consuming = true
      // Not noAck: that would forget a job as it is sent.
      await this.#channel.consume(this.#queue, delivery => {
        if (delivery) this.#waiting.push(delivery)
        else this.#ended ??= Error('the broker deleted the queue')
        this.#wake()
      })
    }
    while (this.#waiting.length === 0) {
      if (this.#ended) throw this.#ended
      await new Promise(resolve => { this.#wake = resolve })
    }
    this.#taken = this.#waiting.shift()
    const { content, properties: { headers } } = this.#taken
    const before = headers?.['x-delivery-count'] ?? 0
    return { text: content.toString(), tries: 1 + Number(before) }
  }

  async done() {
    this.#channel.ack(this.#taken)
  }

  async again() {
    const requeue = true // otherwise it is gone
    this.#channel.nack(this.#taken, false, requeue)
  }

  async bury() {
    // First there, then no longer here. A crash in between leaves the job in
    // both, which is better than in neither.
    await this.#publish(this.#dead, [this.#taken.content])
    this.#channel.ack(this.#taken)
  }

  async close() {
    // An acknowledgement has no answer; the channel's goodbye has one, and
    // comes after all of them. The connection's could overtake them.
    try {
      await this.#channel.close()
      await this.#connection.close()
    } catch {} // closed already
  }
}
