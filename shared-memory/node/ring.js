// A ring of messages in memory that two threads share: one sends, the other
// receives. Rust twin: ../src/ring.rs, which also believes nothing that it
// reads, as another process may be another program; and which spins for a
// while before it sleeps, as it has no events to attend to.

// Indices of Int32s: two counters of bytes that only grow, two bells to
// sleep on, and who has left.
const [SENT, RECEIVED, ARRIVAL, ROOM, SENDER_LEFT, RECEIVER_LEFT] =
  [0, 1, 2, 3, 4, 5]
const HEADER = 64
const CAPACITY = 256 * 1024
const LONGEST = CAPACITY - 4

/** How many bytes of a SharedArrayBuffer one ring takes. */
export const SIZE = HEADER + CAPACITY

export class Ring {
  #words
  #bytes
  #wait
  #failure

  constructor(buffer, offset, wait) {
    this.#words = new Int32Array(buffer, offset, HEADER / 4)
    this.#bytes = new Uint8Array(buffer, offset + HEADER, CAPACITY)
    this.#wait = wait
  }

  /** Sends one message; waits while there is no room for it. */
  async send(message) {
    if (message.length > LONGEST) {
      throw Error(`a message has at most ${LONGEST} bytes`)
    }
    await this.#until(ROOM, () => {
      if (this.#load(RECEIVER_LEFT)) throw Error('the other side has closed')
      return CAPACITY - this.#filled() >= 4 + message.length
    })
    const sent = this.#load(SENT)
    const length = Uint8Array.of(...[0, 8, 16, 24].map(
      shift => message.length >> shift))
    this.#put(sent, length)
    this.#put(sent + 4, message)
    Atomics.store(this.#words, SENT, sent + 4 + message.length)
    this.#ring(ARRIVAL)
  }

  /** The next message, a copy; null when the sender has closed. */
  async receive() {
    const there = await this.#until(ARRIVAL, () => {
      const left = this.#load(SENDER_LEFT)
      return this.#filled() > 0 || (left ? 'closed' : false)
    })
    if (there === 'closed') return null
    const received = this.#load(RECEIVED)
    const [a, b, c, d] = this.#take(received, 4)
    const length = a | b << 8 | c << 16 | d << 24
    const message = this.#take(received + 4, length)
    Atomics.store(this.#words, RECEIVED, received + 4 + length)
    this.#ring(ROOM)
    return message
  }

  /** What was sent still arrives. */
  closeSender() {
    Atomics.store(this.#words, SENDER_LEFT, 1)
    this.#ring(ARRIVAL)
  }

  closeReceiver() {
    Atomics.store(this.#words, RECEIVER_LEFT, 1)
    this.#ring(ROOM)
  }

  /** This thread is to wait no longer: its waiting fails with `failure`. */
  fail(failure) {
    this.#failure ??= failure
    this.#ring(ARRIVAL)
    this.#ring(ROOM)
  }

  // Whoever is about to sleep says so first, and looks once more then; who
  // makes a change makes it first, and looks for sleepers then. So at least
  // one of them sees what the other did.
  async #until(bell, ready) {
    for (;;) {
      Atomics.store(this.#words, bell, 1)
      const found = ready()
      if (found) {
        Atomics.store(this.#words, bell, 0)
        return found
      }
      if (this.#failure) throw this.#failure
      await this.#wait(this.#words, bell, 1)
    }
  }

  #ring(bell) {
    if (Atomics.exchange(this.#words, bell, 0)) {
      Atomics.notify(this.#words, bell)
    }
  }

  #load(index) {
    return Atomics.load(this.#words, index)
  }

  #filled() {
    return this.#load(SENT) - this.#load(RECEIVED) | 0
  }

  // A counter's place is what remains after division; a message that
  // reaches over the end goes on at the beginning.
  #put(counter, bytes) {
    const at = (counter >>> 0) % CAPACITY
    const first = bytes.subarray(0, CAPACITY - at)
    this.#bytes.set(first, at)
    this.#bytes.set(bytes.subarray(first.length), 0)
  }

  #take(counter, length) {
    const at = (counter >>> 0) % CAPACITY
    const bytes = new Uint8Array(length)
    const first = this.#bytes.subarray(at, Math.min(at + length, CAPACITY))
    bytes.set(first)
    bytes.set(this.#bytes.subarray(0, length - first.length), first.length)
    return bytes
  }
}
