// Which broker, and how to connect to it again. Rust twin: ../src/lib.rs.

import { setTimeout as sleep } from 'node:timers/promises'
import { wholeNumber } from '../../common/node/args.js'
import { findRedis } from '../../common/node/broker.js'
import { error } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'

/** Where the queue is: arguments of both halves. */
export const place = {
  queue: { positional: true, default: 'jobs', help: "The queue's name" },
  broker: {
    value: 'URL',
    help: 'A redis://, unix:// or amqp:// URL; otherwise REDIS_URL is used, ' +
      'or a redis-server of its own',
  },
}

/** How a worker takes jobs: its arguments. */
export const taking = {
  prefetch: {
    value: 'N',
    default: '1',
    help: 'How many jobs to take at a time; while they wait here, no other ' +
      'worker gets them',
    parse: text => wholeNumber(text, 1, 65535),
  },
  idle: {
    value: 'MS',
    default: '30000',
    help: 'Milliseconds after which a job that nobody has finished is given ' +
      'to another worker. With Redis only: RabbitMQ sees that a worker is gone',
    parse: text => wholeNumber(text, 10),
  },
}

/** One line of what Node says: empty where several addresses were tried. */
export function reason({ message, code }) {
  return message || code
}

/** What `promise` answers; undefined when Ctrl-C comes first. */
export async function untilStop(promise) {
  let stopped
  const ctrlC = new Promise(resolve => {
    stopped = () => resolve()
    stop.addEventListener('abort', stopped)
    if (stop.aborted) resolve()
  })
  promise.catch(() => {}) // what comes too late is nobody's error
  try {
    return await Promise.race([promise, ctrlC])
  } finally {
    stop.removeEventListener('abort', stopped)
  }
}

/** The broker; one of our own ends with end(). */
export class Broker {
  static async find({ queue, broker, prefetch = 1, idle = 30_000 }) {
    const found = new Broker()
    found.options = { queue, prefetch, idle }
    if (broker) {
      found.url = broker
    } else {
      const { DURABLE } = await import('./streams.js')
      found.own = await findRedis('work-queue', DURABLE)
      found.url = found.own.url
    }
    found.kind = /^(amqp|redis|unix):/.exec(found.url)?.[1]
    if (!found.kind) {
      throw Error('a broker is redis://..., unix://... or amqp://...')
    }
    return found
  }

  /** Connects, and makes the queue where it is not there yet. */
  async connect() {
    // Only the package that is needed.
    const { connect } = await import(
      this.kind === 'amqp' ? './amqp.js' : './streams.js')
    try {
      return await connect(this.url, this.options)
    } catch (failure) {
      // Without the password that a URL may hold.
      const { host, pathname } = new URL(this.url)
      throw Error(`connect to ${host || pathname}: ${reason(failure)}`)
    }
  }

  /**
   * Connects again, after `why` ended `queue`. Tries until it works, and
   * waits twice as long each time. Undefined when Ctrl-C came first.
   */
  async connectAgain(queue, why) {
    error(reason(why))
    // Whatever is left of it must not keep jobs from others. Not waited for:
    // it may have nobody to say goodbye to.
    queue.close()
    let pause = 100
    while (!stop.aborted) {
      try {
        return await untilStop(this.connect())
      } catch (failure) {
        const shown = pause < 1000 ? `${pause}ms` : `${pause / 1000}s`
        error(`${reason(failure)}; next try in ${shown}`)
      }
      await sleep(pause, undefined, { signal: stop }).catch(() => {})
      pause = Math.min(2 * pause, 5000)
    }
  }

  async end() {
    await this.own?.end()
  }
}
