// What was sent, what came back, and what must be given up. Rust twin:
// ../src/ledger.rs.

// How many of the last messages are remembered, to tell an echo that comes
// twice.
const MEMORY = 10_000

/** One client's messages, numbered from 1. Times are milliseconds. */
export class Ledger {
  #wait
  /** By number: when it was sent, or 'lost', or 'returned'. */
  #messages = new Map()
  /** All messages before this number came back or were given up. */
  #settled = 1
  #highest = 0
  #sent = 0
  #returned = 0
  #doubled = 0
  #reordered = 0
  /** Round trips: microseconds, and how often. */
  #roundTrips = new Map()

  /** An echo that is not there after `wait` counts as lost. */
  constructor(wait) {
    this.#wait = wait
  }

  /** Takes down that a message is sent now, and answers its number. */
  send() {
    this.#sent += 1
    this.#messages.set(this.#sent, performance.now())
    for (const number of this.#messages.keys()) {
      if (this.#messages.size <= MEMORY || number >= this.#settled) break
      this.#messages.delete(number)
    }
    return this.#sent
  }

  /**
   * Takes down that the echo of message `number` has come. Answers
   * 'returned' when it is its first one, in time; 'late' when it was not
   * waited for any more; 'doubled' when it is one more; 'unknown' when no
   * such message was sent.
   */
  hear(number) {
    if (!(number >= 1 && number <= this.#sent)) return 'unknown'
    const state = this.#messages.get(number)
    if (state === undefined) return 'late' // so late that it is forgotten
    this.#messages.set(number, 'returned')
    if (state === 'lost') return 'late'
    if (state === 'returned') {
      this.#doubled += 1
      return 'doubled'
    }
    this.#settle()
    this.#returned += 1
    // Others that were sent later came back earlier.
    if (number < this.#highest) this.#reordered += 1
    this.#highest = Math.max(number, this.#highest)
    const micros = Math.round((performance.now() - state) * 1000)
    this.#roundTrips.set(micros, (this.#roundTrips.get(micros) ?? 0) + 1)
    return 'returned'
  }

  /** When the oldest message that is waited for must be given up. */
  get deadline() {
    return this.isSettled ? Infinity
      : this.#messages.get(this.#settled) + this.#wait
  }

  /** Gives that message up and answers its number. */
  giveUp() {
    const number = this.#settled
    this.#messages.set(number, 'lost')
    this.#settle()
    return number
  }

  /** From now on, waits no longer than `most` for any echo. */
  hurry(most) {
    this.#wait = Math.min(this.#wait, most)
  }

  /** No message is waited for. */
  get isSettled() {
    return this.#settled > this.#sent
  }

  get sent() {
    return this.#sent
  }

  get lost() {
    return this.#sent - this.#returned
  }

  /** Goes on to the next message that is waited for. */
  #settle() {
    while (typeof this.#messages.get(this.#settled) === 'string') {
      this.#settled += 1
    }
  }

  /** The round trip that `rank` others were not longer than. */
  #roundTrip(rank) {
    let shorter = 0
    const sorted = [...this.#roundTrips].sort(([a], [b]) => a - b)
    const found = sorted.find(([, count]) => (shorter += count) > rank)
    return `${(found[0] / 1000).toFixed(2)} ms`
  }

  /** The summary. */
  toString() {
    const counts = `sent ${this.#sent}, returned ${this.#returned}, ` +
      `lost ${this.lost}, doubled ${this.#doubled}, ` +
      `reordered ${this.#reordered}`
    const last = this.#returned - 1
    if (last < 0) return counts
    const [min, median, max] = [0, Math.floor(last / 2), last]
      .map(rank => this.#roundTrip(rank))
    return `${counts}\nround trip: min ${min}, median ${median}, max ${max}`
  }
}
