// A subscription that keeps the last events only: what Rust's broadcast
// channel does, and Node has no class for.

/** Hears `event` of `emitter`, and keeps the last `capacity` of them. */
export class Recent {
  #queue = []
  #missed = 0

  constructor(emitter, event, capacity) {
    emitter.on(event, value => {
      this.#queue.push(value)
      if (this.#queue.length > capacity) {
        this.#queue.shift()
        this.#missed += 1
      }
    })
  }

  /** How many events were given up since the last look. */
  missed() {
    const missed = this.#missed
    this.#missed = 0
    return missed
  }

  /** The oldest event that is still there, if any. */
  next() {
    return this.#queue.shift()
  }
}
