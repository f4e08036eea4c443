// A ring buffer of messages in memory that two threads share: one sends, the
// other receives. Rust twin: ../src/ring.rs. That one also checks everything
// that it reads, as the other process may be another program, and it spins
// for a while before it sleeps.

// Positions of Int32s. Two counters of bytes, which only grow; two flags that
// say whether a thread waits; and who has closed.
const SENT = 0
const RECEIVED = 1
const RECEIVER_WAITS = 2
const SENDER_WAITS = 3
const SENDER_CLOSED = 4
const RECEIVER_CLOSED = 5
const HEADER = 64
const CAPACITY = 256 * 1024
const LONGEST = CAPACITY - 4 // four bytes are the message's length

/** How many bytes of a SharedArrayBuffer one ring takes. */
export const RING_SIZE = HEADER + CAPACITY

/** One ring. A thread either sends or receives. */
export class Ring {
  #header
  #bytes
  #wait
  #failure

  constructor(buffer, offset, wait) {
    this.#header = new Int32Array(buffer, offset, HEADER / 4)
    this.#bytes = new Uint8Array(buffer, offset + HEADER, CAPACITY)
    this.#wait = wait
  }

  /**
   * Sends one message. Back-pressure: waits while there is no room for it.
   * False when the receiver has closed.
   */
  async send(message) {
    if (message.length > LONGEST) {
      throw Error(`a message has at most ${LONGEST} bytes`)
    }
    let closed
    await this.#waitUntil(SENDER_WAITS, () => {
      closed = this.#load(RECEIVER_CLOSED)
      return CAPACITY - this.#inUse() >= 4 + message.length || closed
    })
    if (closed) return false
    const sent = this.#load(SENT)
    const length = Buffer.alloc(4)
    length.writeInt32LE(message.length)
    this.#write(sent, length)
    this.#write(sent + 4, message)
    // After the bytes: a receiver that sees this count also sees them.
    Atomics.store(this.#header, SENT, sent + 4 + message.length)
    this.#wake(RECEIVER_WAITS)
    return true
  }

  /** The next message, a copy; null when the sender has closed. */
  async receive() {
    let closed
    await this.#waitUntil(RECEIVER_WAITS, () => {
      closed = this.#load(SENDER_CLOSED)
      return this.#inUse() > 0 || closed
    })
    if (this.#inUse() === 0) return null
    const received = this.#load(RECEIVED)
    const length = Buffer.from(this.#read(received, 4)).readInt32LE()
    const message = this.#read(received + 4, length)
    // After the bytes were read: the sender overwrites them from here on.
    Atomics.store(this.#header, RECEIVED, received + 4 + length)
    this.#wake(SENDER_WAITS)
    return message
  }

  /** No more will be sent. What was sent still arrives. */
  closeSender() {
    Atomics.store(this.#header, SENDER_CLOSED, 1)
    this.#wake(RECEIVER_WAITS)
  }

  /** The other side cannot send any more. */
  closeReceiver() {
    Atomics.store(this.#header, RECEIVER_CLOSED, 1)
    this.#wake(SENDER_WAITS)
  }

  /** Ends all waiting of this thread with `failure`. */
  fail(failure) {
    this.#failure ??= failure
    this.#wake(RECEIVER_WAITS)
    this.#wake(SENDER_WAITS)
  }

  // Lost wakeup: if a thread checked first and set its flag after that, the
  // other one could make its change in between, see no flag, and wake nobody.
  // So set the flag first and check after that; the other one makes its change
  // first and looks at the flag after that.
  async #waitUntil(flag, ready) {
    for (;;) {
      Atomics.store(this.#header, flag, 1)
      if (ready()) break
      if (this.#failure) throw this.#failure
      await this.#wait(this.#header, flag, 1) // sleeps while it is 1
    }
    Atomics.store(this.#header, flag, 0)
  }

  #wake(flag) {
    if (Atomics.exchange(this.#header, flag, 0) === 1) {
      Atomics.notify(this.#header, flag)
    }
  }

  #load(index) {
    return Atomics.load(this.#header, index)
  }

  #inUse() {
    return this.#load(SENT) - this.#load(RECEIVED) | 0
  }

  // A counter's position is its remainder; a message that reaches beyond the
  // end of the ring goes on at its beginning.
  #write(counter, bytes) {
    const position = (counter >>> 0) % CAPACITY
    const first = bytes.subarray(0, CAPACITY - position)
    this.#bytes.set(first, position)
    this.#bytes.set(bytes.subarray(first.length), 0)
  }

  #read(counter, length) {
    const position = (counter >>> 0) % CAPACITY
    const end = Math.min(position + length, CAPACITY)
    const first = this.#bytes.subarray(position, end)
    const bytes = Buffer.alloc(length)
    bytes.set(first)
    bytes.set(this.#bytes.subarray(0, length - first.length), first.length)
    return bytes
  }
}
