// How often a client sends, and how many times. Rust twin: ../src/pace.rs.

import { setTimeout as sleep } from 'node:timers/promises'
import { wholeNumber } from './args.js'
import { stop } from './shutdown.js'

/** `--every` and `--count`, the same for every client. */
export const pace = {
  every: {
    value: 'MS',
    default: '3000',
    help: 'Milliseconds between two messages',
    parse: text => wholeNumber(text, 1, 86_400_000),
  },
  count: {
    value: 'N',
    default: undefined,
    help: 'Stop after this many messages; without it, go on until Ctrl-C',
    parse: text => text === undefined ? Infinity : wholeNumber(text, 0),
  },
}

/**
 * Ticks once for each message, the first time at once; ends after `count`
 * messages, on Ctrl-C, or when `signal` is aborted.
 */
export async function* ticks({ every, count }, signal) {
  const ended = AbortSignal.any([stop, signal])
  let due // from tick to tick, however long an answer takes
  for (let sent = 0; sent < count && !ended.aborted; sent += 1) {
    if (sent > 0) {
      try {
        const pause = Math.max(due - performance.now(), 0)
        await sleep(pause, undefined, { signal: ended })
      } catch {
        return
      }
    }
    due = performance.now() + every
    yield sent
  }
}
