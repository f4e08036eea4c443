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
    this.#events.push({ id: this.#lastId, kind: 'message', text })
    if (this.#events.length > KEPT) this.#events.shift()
    this.#changes.emit('change')
  }

  /**
   * The next event for a client that had the one with this id last; 0: it had
   * none. Waits until there is one; rejects when `signal` is aborted.
   */
  async next(id, signal) {
    for (;;) {
      const event = this.#next(id)
      if (event !== undefined) return event
      await once(this.#changes, 'change', { signal })
    }
  }

  // The next event after this id, if it is there. Where events between are
  // forgotten, first one that says so.
  #next(id) {
    const next = this.#events.find(event => event.id > id)
    if (next !== undefined && id > 0 && next.id > id + 1) {
      const text = 'some events are forgotten'
      return { id: next.id - 1, kind: 'missed', text }
    }
    return next
  }
}
