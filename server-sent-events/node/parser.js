// Makes events of the bytes of a stream. Rust twin: ../src/parser.rs, which has
// no package for it.

import { missing } from '../../common/node/packages.js'

const { createParser } = await import('eventsource-parser').catch(missing)

// The longest event that is accepted, in characters: one without an end would
// fill the memory.
const MAX_EVENT = 1024 * 1024

/** What has been read of a stream so far. */
export class Parser {
  /** What `id:` said last: for `Last-Event-ID`. Empty: nothing. */
  lastId = ''
  /** What `retry:` said last: how long to wait before connecting again. */
  retry = 3000
  #events
  #decoder
  #parser

  /**
   * A new stream begins. Half an event of the last one is forgotten; its last
   * id and `retry:` are kept.
   */
  begin() {
    this.#decoder = new TextDecoder()
    this.#parser = createParser({
      maxBufferSize: MAX_EVENT,
      onEvent: ({ id = this.lastId, event: kind = 'message', data }) => {
        this.lastId = id
        this.#events.push({ kind, data })
      },
      onRetry: milliseconds => { this.retry = milliseconds },
    })
  }

  /**
   * Reads the next piece, and returns the events that it completes. A piece may
   * end anywhere, also within a character. Throws after an event that is too
   * long.
   */
  read(bytes) {
    this.#events = []
    this.#parser.feed(this.#decoder.decode(bytes, { stream: true }))
    return this.#events
  }
}
