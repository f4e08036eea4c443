// The newest events, kept for clients that were away. Rust twin:
// ../src/history.rs.

import { EventEmitter, once } from 'node:events'

// How many events are kept, for all clients together.
const KEPT = 100

/** All streams read from one history. */
export class History {
  #events = []
  // Ids begin at the time in milliseconds, so that they ascend also when the
  // server starts again.
  #lastId = Date.now()
  #changes = new EventEmitter().setMaxListeners(0)

  /** Adds an event, forgets the oldest, and wakes those who wait. */
  publish(text) {
    this.#lastId += 1
    this.#events.push({ id: this.#lastId, text })
    if (this.#events.length > KEPT) this.#events.shift()
    this.#changes.emit('change')
  }

  /**
   * The first event behind the one with this id. Waits until there is one;
   * rejects when `signal` is aborted.
   */
  async next(id, signal) {
    for (;;) {
      const event = this.#events.find(event => event.id > id)
      if (event) return event
      await once(this.#changes, 'change', { signal })
    }
  }
}
