// What a client says: lines that are typed, or one text at a pace.
// Rust twin: ../src/texts.rs.

import { createInterface } from 'node:readline'
import { ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'

/**
 * `message`, or "hello" where only its number is given; or else what is
 * typed. Ends with that, on Ctrl-C, or when `signal` is aborted.
 */
export async function* texts({ message, ...pace }, signal) {
  if (message !== undefined || pace.count !== Infinity) {
    for await (const _ of ticks(pace, signal)) yield message ?? 'hello'
    return
  }
  const lines = createInterface({ input: process.stdin })
  const end = () => lines.close()
  AbortSignal.any([stop, signal]).addEventListener('abort', end)
  for await (const line of lines) if (line.trim() !== '') yield line
}
