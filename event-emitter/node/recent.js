// A subscription that keeps the last events only: what Rust's broadcast
// channel does, and Node has no class for.

/** Subscribes to `event`, and keeps the last `capacity` of them. */
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

  /** First `{ missed }`, if events were lost; then a `{ value }` for each. */
  *[Symbol.iterator]() {
    if (this.#missed > 0) yield { missed: this.#missed }
    this.#missed = 0
    while (this.#queue.length > 0) yield { value: this.#queue.shift() }
  }
}
