// Jobs in Redis that were not acknowledged: another worker takes them over,
// and what fails each time becomes a dead letter.
// Rust twin: ../src/streams_retry.rs.

import { asBytes } from './streams.js'

/** A job that we have taken. */
export class Job {
  /** The job in an entry of the stream. */
  constructor({ id, message }, tries) {
    this.id = id // its number in the stream
    this.bytes = message.job ?? Buffer.of() // what is to be done
    this.tries = tries // how often it was delivered, this time included
  }
}

/**
 * Takes over a job that another worker did not acknowledge within `idle`
 * milliseconds: the job failed, or the worker died. A worker that is only slow
 * will do it as well.
 */
export async function takeOver(client, queue, group, name, idle) {
  // The first one, from the lowest id ('-') to the highest ('+').
  const range = [queue, group, '-', '+', 1]
  const [pending] = await client.xPendingRange(...range, { IDLE: idle })
  if (!pending) return undefined
  // Nothing, if another worker was quicker: then it is no longer idle.
  const inBytes = asBytes(client)
  const [entry] = await inBytes.xClaim(queue, group, name, idle, pending.id)
  return entry && new Job(entry, pending.deliveriesCounter + 1)
}

/**
 * Adds a job to the dead letters, where somebody can look at it.
 *
 * Acknowledge it after that, and not in the same MULTI: the job would be lost
 * when XADD fails, as Redis runs the other commands all the same.
 */
export async function deadLetter(client, queue, job) {
  await client.xAdd(`${queue}.dead`, '*', { job: job.bytes })
}
