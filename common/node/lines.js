// The lines of a stream, to be shown. Rust twin: ../src/lines.rs.

import { ENOUGH, shown } from './log.js'

const LINE_FEED = 10
const RETURN = 13

/**
 * Cuts a stream into lines. Of each it keeps only what is shown, so that a
 * line of many MiB costs no more memory than a short one. A line ends with
 * \n or \r\n, and the last one also with the stream.
 */
export class Lines {
  #kept = Buffer.alloc(ENOUGH)
  #length = 0
  #last

  /** Takes the next bytes, and has each line shown that they complete. */
  feed(bytes, show) {
    let start = 0
    let end
    while ((end = bytes.indexOf(LINE_FEED, start)) >= 0) {
      this.#push(bytes.subarray(start, end))
      if (this.#length > 0 && this.#last === RETURN) this.#length -= 1
      this.#show(show)
      start = end + 1
    }
    this.#push(bytes.subarray(start))
  }

  /** The stream has ended: has a last line without an end shown. */
  finish(show) {
    if (this.#length > 0) this.#show(show)
  }

  #push(bytes) {
    if (this.#length < ENOUGH) bytes.copy(this.#kept, this.#length)
    this.#length += bytes.length
    if (bytes.length > 0) this.#last = bytes.at(-1)
  }

  #show(show) {
    const kept = this.#kept.subarray(0, Math.min(this.#length, ENOUGH))
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    show(shown(decoder.decode(kept), this.#length))
    this.#length = 0
  }
}
