// What was sent, what came back, and what must be given up. Rust twin:
// ../src/ledger.rs.

// How many of the last messages are remembered, to tell an echo that comes
// twice.
const MEMORY = 10_000

/**
 * One client's messages. Each goes out with its number in front, from 1 on:
 * '1 hello'. A server that only echoes brings the number back. Times are in
 * milliseconds.
 */
export class Ledger {
  #message
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
  constructor(message, wait) {
    this.#message = message
    this.#wait = wait
  }

  /** Takes down that one more message is sent now; answers the datagram. */
  send() {
    this.#sent += 1
    this.#messages.set(this.#sent, performance.now())
    for (const number of this.#messages.keys()) {
      if (this.#messages.size <= MEMORY || number >= this.#settled) break
      this.#messages.delete(number)
    }
    return this.#datagram(this.#sent)
  }

  /**
   * Takes down that this datagram came back. Answers 'receive' when it is
   * the first echo, in time; 'late' when it was not waited for any more;
   * 'doubled' when it is one more; 'unknown' when this was not sent.
   */
  hear(datagram) {
    const number = this.#numberOf(datagram)
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
    return 'receive'
  }

  /** When the oldest message that is waited for must be given up. */
  get deadline() {
    return this.isSettled ? Infinity
      : this.#messages.get(this.#settled) + this.#wait
  }

  /** Gives that message up and answers its datagram. */
  giveUp() {
    const number = this.#settled
    this.#messages.set(number, 'lost')
    this.#settle()
    return this.#datagram(number)
  }

  /** From now on, waits no longer than `most` for any echo. */
  hurry(most) {
    this.#wait = Math.min(this.#wait, most)
  }

  /** No message is waited for. */
  get isSettled() {
    return this.#settled > this.#sent
  }

  /** That was all: what is wrong with it, if any. */
  get missing() {
    return this.#lost > 0 &&
      `${this.#lost} of ${this.#sent} messages did not come back`
  }

  get #lost() {
    return this.#sent - this.#returned
  }

  #datagram(number) {
    return `${number} ${this.#message}`
  }

  /** The number of a datagram, if it is one that this message makes. */
  #numberOf(datagram) {
    const number = parseInt(datagram.toString('latin1', 0, 20), 10)
    const isOurs = datagram.equals(Buffer.from(this.#datagram(number)))
    return isOurs ? number : undefined
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
      `lost ${this.#lost}, doubled ${this.#doubled}, ` +
      `reordered ${this.#reordered}`
    const last = this.#returned - 1
    if (last < 0) return counts
    const [min, median, max] = [0, Math.floor(last / 2), last]
      .map(rank => this.#roundTrip(rank))
    return `${counts}\nround trip: min ${min}, median ${median}, max ${max}`
  }
}
