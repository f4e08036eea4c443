// What one client has still to be sent: a queue with a bound. Rust twin:
// ../src/queue.rs.
//
// Everybody's lines go into everybody's queue, so the queue of a client that
// does not read fills up. It must neither grow without end, as a socket's
// own queue does in Node, nor make the others wait.

/** What a queue may hold, in bytes. */
const CAPACITY = 1024 * 1024

// What a line counts at least: a bound on bytes alone would let in a million
// empty lines.
const LEAST = 1024

// How much is written at once. Many small lines leave together.
const BATCH = 16 * 1024

/** Lines on their way to one client, as Buffers that all queues share. */
export class Queue {
  #lines = []
  #cost = 0
  #ended = false
  #filled = () => {}
  #emptied = () => {}

  /** Puts a line at the end; false when there is no room for it. */
  push(line) {
    if (this.#cost + cost(line) > CAPACITY) return false
    this.#cost += cost(line)
    this.#lines.push(line)
    this.#filled()
    return true
  }

  /** Nothing more will come: what is in it is still sent. */
  end() {
    this.#ended = true
    this.#filled()
    this.#emptied()
  }

  /** Throws away what is in it, and ends with this line instead. */
  endWith(word) {
    this.#lines = [word]
    this.#cost = cost(word)
    this.end()
  }

  /** What to write, as many whole lines at once as go together. */
  async *batches() {
    for (;;) {
      const batch = this.#take()
      if (batch.length > 0) yield Buffer.concat(batch)
      else if (this.#ended) return
      else await new Promise(resolve => { this.#filled = resolve })
    }
  }

  /** Waits until it is at most half full, or has ended. */
  async halfEmpty() {
    while (!this.#ended && this.#cost > CAPACITY / 2) {
      await new Promise(resolve => { this.#emptied = resolve })
    }
  }

  #take() {
    const batch = []
    for (let size = 0; size < BATCH && this.#lines.length > 0;) {
      const line = this.#lines.shift()
      this.#cost -= cost(line)
      size += line.length
      batch.push(line)
    }
    this.#emptied()
    return batch
  }
}

function cost(line) {
  return Math.max(line.length, LEAST)
}
