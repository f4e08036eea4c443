// The queue in Redis: a stream, and a group of workers that share it. Rust
// twin: ../src/streams.rs.
//
// XADD appends a job. XREADGROUP gives it to one worker and notes that it is
// pending. XACK ends that; until then any worker may take it over with
// XAUTOCLAIM once it has been pending for too long.

import { RESP_TYPES, createClient } from 'redis'
import { error } from '../../common/node/log.js'

/**
 * What makes Redis keep a job: each change is on the disk before it is
 * answered. Otherwise a crash forgets what came last.
 */
export const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always']

// All workers are one group: each job goes to one of them.
const GROUP = 'workers'

// How long one XREADGROUP waits for a job, in milliseconds.
const BLOCK = 1000

/** Connects to the Redis at `url`; makes the group where there is none. */
export async function connect(url, { queue, prefetch, idle }) {
  const client = createClient({
    url,
    // Our caller connects again: it has to know that a job may come twice.
    socket: { connectTimeout: 30_000, reconnectStrategy: false },
    disableOfflineQueue: true,
  })
  // Without a listener, Node would die of the 'error' event. Who waits for
  // a command gets the error there.
  client.on('error', () => {})
  try {
    await client.connect()
    // From 0 on: also the jobs that came before the first worker.
    await client.xGroupCreate(queue, GROUP, '0', { MKSTREAM: true })
      .catch(failure => {
        if (!failure.message.startsWith('BUSYGROUP')) throw failure
      })
    await warnOfForgetting(client)
  } catch (failure) {
    client.destroy()
    throw failure
  }
  return new Queue(client, queue, prefetch, idle)
}

// Says so when this server may lose jobs in a crash. One that does not let
// us ask is taken at its word.
async function warnOfForgetting(client) {
  const asked = await client.configGet('append*').catch(() => undefined)
  if (asked &&
    !(asked.appendonly === 'yes' && asked.appendfsync === 'always')) {
    error('this Redis forgets jobs in a crash; ' +
      'it needs appendonly yes, appendfsync always')
  }
}

class Queue {
  #client
  // The same client, which leaves what it reads as bytes: as strings, those
  // that are no UTF-8 would be replaced, and a dead letter would be another.
  #bytes
  #stream
  #dead
  // Our name in the group: one for each connection of each process.
  #worker = `${process.pid}-${process.hrtime.bigint()}`
  #prefetch
  #idle
  // When to look next for jobs that nobody finished, and from where on.
  #look = Date.now()
  #cursor = '0-0'
  // Taken, and not yet handed out by next().
  #waiting = []
  // Handed out, and not yet done.
  #taken

  constructor(client, stream, prefetch, idle) {
    this.#client = client
    this.#bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    this.#stream = stream
    this.#dead = `${stream}.dead`
    this.#prefetch = prefetch
    this.#idle = idle
  }

  async add(jobs) {
    // All in one go: one write to the disk for all of them.
    const many = this.#client.multi()
    for (const job of jobs) many.xAdd(this.#stream, '*', { job })
    await many.execAsPipeline()
  }

  async next() {
    while (true) {
      const entry = this.#waiting.shift()
      if (entry) return this.#handOut(entry, 1)
      if (this.#look <= Date.now()) {
        const job = await this.#takeOver()
        if (job) return job
      }
      // Waits here; but not beyond the next look at what was left.
      const left = this.#look - Date.now()
      const streams = await this.#bytes.xReadGroup(
        GROUP, this.#worker,
        { key: this.#stream, id: '>' }, // what no worker has been given yet
        {
          COUNT: this.#prefetch,
          BLOCK: Math.min(Math.max(left, 1), BLOCK),
        })
      for (const { messages } of streams ?? []) this.#waiting.push(...messages)
    }
  }

  // Takes over one job that somebody took long ago and never finished.
  async #takeOver() {
    const { nextId, messages } = await this.#bytes.xAutoClaim(
      this.#stream, GROUP, this.#worker, this.#idle, this.#cursor,
      { COUNT: 1 })
    this.#cursor = nextId.toString()
    if (this.#cursor === '0-0') { // seen all of them
      this.#look = Date.now() + this.#idle / 2
    }
    const entry = messages.find(message => message)
    if (!entry) return undefined
    // How often it was handed out, only XPENDING says.
    const [pending] = await this.#client.xPendingRange(
      this.#stream, GROUP, entry.id, entry.id, 1)
    return this.#handOut(entry, pending?.deliveriesCounter ?? 1)
  }

  #handOut({ id, message }, tries) {
    const job = message.job ?? Buffer.of()
    this.#taken = { id, job }
    return { text: job.toString(), tries }
  }

  async done() {
    const { id } = this.#taken
    // Deleted with its acknowledgement, both or neither: so the stream holds
    // what is still to be done, and nothing else. Cutting it to a length
    // (MAXLEN) would throw away jobs that nobody has done.
    await this.#client.multi()
      .xAck(this.#stream, GROUP, id)
      .xDel(this.#stream, id)
      .exec()
  }

  async again() {
    // It stays pending. After --idle somebody takes it over: no load of
    // failing jobs, one after the other without a pause.
    this.#taken = undefined
  }

  async bury() {
    const { id, job } = this.#taken
    await this.#client.multi()
      .xAdd(this.#dead, '*', { job })
      .xAck(this.#stream, GROUP, id)
      .xDel(this.#stream, id)
      .exec()
  }

  async close() {
    this.#client.destroy() // each acknowledgement was answered
  }
}
