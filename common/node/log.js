// Log lines: one per event. Rust twin: ../src/log.rs.

import { setMaxListeners } from 'node:events'
import { stopNow } from './shutdown.js'

// How many characters of a text from a peer are shown.
const SHOWN = 160

/** So many bytes hold all that is shown of a text, and one character more. */
export const ENOUGH = 4 * (SHOWN + 1)

let quiet = false

/** `--quiet`: from here on, line() prints nothing. */
export function setQuiet(value) {
  quiet = value
}

// With `QUIET=1` in the environment, programs print only `listening on ...`,
// which others wait for. For measuring.
const isQuiet = Boolean(process.env.QUIET)

/** Prints one line about what happens, on stdout. */
export function line(text) {
  if (!quiet) ready(text)
}

/** As line(). On its way out: with `QUIET=1`, line() prints it, too. */
export function ready(text) {
  if (!isQuiet || text.startsWith('listening on')) console.log(text)
}

// EPIPE: nobody reads any more (`server | head -1`). End quietly, as Unix
// filters do. Without a listener, the 'error' event would crash Node.
process.stdout.on('error', failure => {
  if (failure.code === 'EPIPE') return stopNow()
  fail(Error(`write to stdout: ${failure.message}`))
})

/** Prints the one line that a failed program ends with, and ends it. */
export function fail({ message }) {
  error(`Error: ${message}`)
  process.exit(1)
}

/**
 * Pauses `source` until our stdout is read again, or the lines that its data
 * make would fill the memory.
 */
export function holdBack(source) {
  if (!process.stdout.writableNeedDrain || source.isPaused()) return
  source.pause()
  process.stdout.once('drain', () => source.resume())
}

/** Calls `go` as soon as our stdout is read, unless `source` closes before. */
export function whenRead(source, go) {
  if (!process.stdout.writableNeedDrain) return go()
  process.stdout.once('drain', go)
  source.on('close', () => process.stdout.off('drain', go))
}

/** Waits until our stdout is read. */
export async function untilRead() {
  if (!process.stdout.writableNeedDrain) return
  await new Promise(resolve => process.stdout.once('drain', resolve))
}
setMaxListeners(0, process.stdout) // one for each connection

/** Prints a diagnostic on stderr. */
export function error(text) {
  console.error(escaped(String(text)))
}

/**
 * Makes text of the pieces that one peer sends, and keeps a character whole
 * that was cut in two. One for each direction of each connection.
 */
export class Decoder {
  #decoder = new TextDecoder('utf-8', { ignoreBOM: true })

  decode(bytes) {
    const text = this.#decoder.decode(bytes, { stream: true })
    return shown(text, bytes.length)
  }

  /**
   * The stream has ended: hands a character whose end never came to `show`.
   * It is shown as U+FFFD.
   */
  finish(show) {
    const text = this.#decoder.decode()
    if (text) show(shown(text))
  }
}

const whole = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * A whole message, text or bytes, ready to be shown: escaped, and cut when
 * it is long.
 */
export function shown(text, length) {
  if (quiet || isQuiet) return ''
  if (typeof text !== 'string') return shown(whole.decode(text), text.length)
  // A short text cannot have too many characters: the usual case.
  if (text.length <= SHOWN) return escaped(text)
  const first = Array.from(text.slice(0, 2 * SHOWN + 1))
  if (first.length <= SHOWN) return escaped(text)
  const cut = first.slice(0, SHOWN).join('')
  return `${escaped(cut)}… (${length ?? Buffer.byteLength(text)} bytes)`
}

/**
 * Text that cannot drive the reader's terminal: no control character, no
 * line break, nothing that turns the direction of writing round.
 */
export function escaped(text) {
  return text.replace(CONTROL, character =>
    NAMED[character] ?? `\\u{${character.codePointAt(0).toString(16)}}`)
}

/** What would drive the reader's terminal. */
export const CONTROL = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu
const NAMED = { '\t': '\\t', '\n': '\\n', '\r': '\\r' }
