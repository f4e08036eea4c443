// Framing: lines out of a stream of bytes. Rust twin: ../src/lines.rs.

import { isUtf8 } from 'node:buffer'

/** The longest line that may be said, in bytes, without its line feed. */
export const LONGEST = 64 * 1024

/** What stands for a line that is none. */
export const TOO_LONG = Symbol('too long')
export const NOT_UTF8 = Symbol('not UTF-8')

const NOTHING = Buffer.alloc(0)

/** Puts lines together from the pieces that one peer sends. */
export class Lines {
  // The beginning of a line whose end has not arrived: the first #length
  // bytes of #begun.
  #begun = NOTHING
  #length = 0
  // The line that arrives now is too long: nothing of it is kept.
  #skipping = false

  constructor(longest) {
    this.longest = longest
  }

  /**
   * The lines that `piece` completes: strings, TOO_LONG or NOT_UTF8. Each
   * byte is looked at once, whatever the pieces are.
   */
  *next(piece) {
    for (let at = 0; at < piece.length;) {
      const end = piece.indexOf(10, at)
      const bytes = piece.subarray(at, end < 0 ? piece.length : end)
      at += bytes.length + 1

      if (this.#skipping) {
        // The line feed ends the line that was refused, and the next line
        // is a good one again.
        this.#skipping = end < 0
      } else if (this.#length + bytes.length > this.longest) {
        this.#begun = NOTHING
        this.#length = 0
        this.#skipping = end < 0
        yield TOO_LONG
      } else {
        this.#append(bytes)
        if (end >= 0) yield this.#complete()
      }
    }
  }

  /**
   * The stream has ended: what was begun is a line too, as the last line of
   * a file is one without its line feed.
   */
  *last() {
    if (this.#length > 0) yield this.#complete()
  }

  // Copies, and twice as much room each time it is too little: a list of
  // pieces of one byte each would take a hundred times the memory.
  #append(bytes) {
    const length = this.#length + bytes.length
    if (length > this.#begun.length) {
      const most = Math.min(2 * this.#begun.length, this.longest)
      const longer = Buffer.alloc(Math.max(length, most))
      this.#begun.copy(longer, 0, 0, this.#length)
      this.#begun = longer
    }
    bytes.copy(this.#begun, this.#length)
    this.#length = length
  }

  #complete() {
    let line = this.#begun.subarray(0, this.#length)
    // A quiet peer holds no buffer.
    this.#begun = NOTHING
    this.#length = 0
    // telnet and Windows end lines with CR LF.
    if (line.at(-1) === 13) line = line.subarray(0, -1)
    // Only a whole line can be decoded: a piece may end within a character.
    return isUtf8(line) ? line.toString() : NOT_UTF8
  }
}
