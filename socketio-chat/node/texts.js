// What a client sends: lines that are typed, or one text at a pace.
// Rust twin: ../src/texts.rs.

import { createInterface } from 'node:readline'
import { ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'

/**
 * `message`, or "hello" where only its number is given; or else what is
 * typed. Ends with that, or on Ctrl-C.
 */
export class Texts {
  #over = new AbortController()
  #texts
  #next

  constructor({ message, ...pace }) {
    const isPaced = message !== undefined || Number.isFinite(pace.count)
    this.#texts = isPaced ? paced(message ?? 'hello', pace, this.#over.signal)
      : typed(this.#over.signal)
  }

  /**
   * Waits for the next one. `undefined` when that was all. Fails with `lost`:
   * then nothing is lost here, and the next call waits on.
   */
  async next(lost) {
    this.#next ??= this.#texts.next()
    const { value } = await Promise.race([this.#next, lost])
    this.#next = undefined
    return value
  }

  /** Reads nothing more. */
  close() {
    this.#over.abort()
  }
}

async function* paced(message, pace, signal) {
  for await (const _ of ticks(pace, signal)) yield message
}

async function* typed(signal) {
  const lines = createInterface({ input: process.stdin })
  const end = () => {
    lines.close()
    process.stdin.destroy()
  }
  AbortSignal.any([stop, signal]).addEventListener('abort', end)
  for await (const line of lines) if (line.trim() !== '') yield line
}
