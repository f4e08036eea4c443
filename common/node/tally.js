// What an echo client has sent, and whether all of it came back. Rust twin:
// ../src/tally.rs.

/** Compares what comes back with one message, sent over and over. */
export class Tally {
  #sent = 0
  #received = 0

  constructor(message) {
    this.message = Buffer.from(message)
  }

  /** The message is being sent once more. */
  sent() {
    this.#sent += this.message.length
  }

  /** These bytes came back: false when they are not what was sent, or more. */
  received(bytes) {
    const begun = this.#received
    this.#received += bytes.length
    return this.#received <= this.#sent && bytes.every((byte, i) =>
      byte === this.message[(begun + i) % this.message.length])
  }

  /** The other side says nothing more: what is wrong with that, if any. */
  get missing() {
    return this.#received < this.#sent &&
      `only ${this.#received} of ${this.#sent} bytes came back`
  }
}
