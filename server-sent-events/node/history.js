// The newest events, kept for clients that were away. Rust twin:
// ../src/history.rs.

// How many events are kept, for all clients together.
const KEPT = 100

/** All streams read from one history. */
export class History {
  #events = []
  // Ids begin at the time in milliseconds, so that they ascend also when the
  // server starts again.
  #lastId = Date.now()
  // A function for each client that waits: it ends its waiting. A set, as
  // thousands may wait: a listener of an EventEmitter is found only by looking
  // through all of them.
  #waiting = new Set()

  /** Adds an event, forgets the oldest, and wakes those who wait. */
  publish(text) {
    this.#lastId += 1
    this.#events.push({ id: this.#lastId, kind: 'message', text })
    if (this.#events.length > KEPT) this.#events.shift()
    for (const wake of this.#waiting) wake()
  }

  /**
   * The next event for a client that had the one with this id last; 0: it had
   * none. Waits until there is one; after `timeout` milliseconds, undefined.
   */
  async next(id, timeout) {
    const event = this.#next(id)
    if (event !== undefined) return event
    await this.#change(timeout)
    return this.#next(id)
  }

  // Waits until an event is published, for `timeout` milliseconds at most.
  #change(timeout) {
    return new Promise(resolve => {
      const wake = () => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, timeout).unref() // does not delay the end
      this.#waiting.add(wake)
    })
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
