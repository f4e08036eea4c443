// What the halves of both brokers need. Rust twin: ../src/lib.rs.

import { setTimeout as sleep } from 'node:timers/promises'
import { wholeNumber } from '../../common/node/args.js'
import { error, line, shown } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'

/** The work that a job stands for: here a pause, or a failure. */
export const workFlags = {
  work: {
    value: 'MS',
    default: '0',
    help: 'Milliseconds of work for each job',
    parse: text => wholeNumber(text, 0, 86_400_000),
  },
  fail: { value: 'TEXT', help: 'Fail at jobs that contain this text' },
  tries: {
    value: 'N',
    default: '3',
    help: 'After how many failures a job becomes a dead letter',
    parse: text => wholeNumber(text, 0),
  },
}

/**
 * Does a job that was delivered `tries` times, this time included, and prints
 * the outcome: 'done', 'failed', or 'poisonous' when it failed too often.
 */
export async function perform(job, tries, options) {
  const text = job.toString()
  line(`taken: ${shown(text)}`)
  // After more tries than that, perhaps each worker has died of it. Such a job
  // is not even begun.
  if (tries <= options.tries && await succeeds(text, options)) {
    line(`done: ${shown(text)}`)
    return 'done'
  }
  const counted = `(try ${tries} of ${options.tries})`
  if (tries < options.tries) {
    line(`failed: ${shown(text)} ${counted}`)
    return 'failed'
  }
  line(`dead letter: ${shown(text)} ${counted}`)
  return 'poisonous'
}

async function succeeds(job, { work, fail }) {
  if (work > 0) await sleep(work)
  return fail === undefined || !job.includes(fail)
}

/**
 * Exponential backoff: each pause before the next attempt is twice as long as
 * the last one, up to five seconds.
 *
 * A broker that is just starting has enough to do. Random jitter keeps a
 * thousand workers from reconnecting at the same moment.
 */
export class Backoff {
  #pause = 100

  /** Reports `why`, an error, and waits. Rejects on Ctrl-C. */
  async wait(why) {
    const wait = Math.floor(this.#pause * (0.5 + Math.random() / 2))
    this.#pause = Math.min(2 * this.#pause, 5000)
    error(`${why.message}; next try in ${wait} ms`)
    await sleep(wait, undefined, { signal: stop })
  }

  /**
   * Something has succeeded: begins anew. That we are connected is not enough,
   * as a broker can accept a connection and refuse each command.
   */
  reset() {
    this.#pause = 100
  }
}

/** What `promise` resolves to; undefined when Ctrl-C comes first. */
export async function untilStop(promise) {
  let stopped
  const ctrlC = new Promise(resolve => {
    stopped = () => resolve()
    stop.addEventListener('abort', stopped)
    if (stop.aborted) resolve()
  })
  promise.catch(() => {}) // an error after Ctrl-C is of no interest
  try {
    return await Promise.race([promise, ctrlC])
  } finally {
    stop.removeEventListener('abort', stopped)
  }
}
