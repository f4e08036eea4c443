// Log lines: one per event, and text from a peer made safe to print. Rust
// twin: ../src/log.rs.

import { requestStop } from './shutdown.js'

// How many characters of a text from a peer are shown.
const SHOWN = 160

// With `QUIET=1` in the environment, programs print only `listening on ...`,
// which others wait for. For measuring.
const isQuiet = Boolean(process.env.QUIET)

// With the number of our parent's process in LOG_PLACES, each line begins with
// the place in the source where it is printed. The page, which starts programs
// so, shows where that is; a child of theirs does not do it.
const saysPlaces = process.env.LOG_PLACES === String(process.ppid)

function place() {
  if (!saysPlaces) return ''
  // Of the functions that are running, the innermost one of the program itself.
  const [found] = new Error().stack.split('\n')
    .filter(call => call.includes(process.argv[1]))
  const [, at] = /([^/\\]+:\d+):\d+\)?$/.exec(found) ?? []
  return at ? `\u{1f}${at}\u{1f}` : ''
}

/** Prints one line about what happens, on stdout. */
export function line(text) {
  if (isQuiet && !text.startsWith('listening on')) return
  console.log(`${place()}${text}`)
}

// EPIPE: nobody reads any more (`server | head -1`). End quietly, as Unix
// filters do. Without a listener, the 'error' event would crash Node.
process.stdout.on('error', failure => {
  if (failure.code === 'EPIPE') return requestStop()
  fail(Error(`write to stdout: ${failure.message}`))
})

/** Prints a diagnostic on stderr. */
export function error(text) {
  console.error(`${place()}${escaped(String(text))}`)
}

/** Prints the one line that a failed program ends with, and ends it. */
export function fail({ message }) {
  error(`Error: ${message}`)
  process.exit(1)
}

/**
 * Decodes the pieces of one stream, and keeps a character whole that was split
 * over two of them. One for each direction of each connection.
 */
export class Decoder {
  #decoder = new TextDecoder('utf-8', { ignoreBOM: true })

  /** The next piece, ready to be printed. */
  decode(bytes) {
    if (isQuiet) return ''
    return shown(this.#decoder.decode(bytes, { stream: true }), bytes.length)
  }
}

/** A whole message, ready to be printed: escaped, and cut when it is long. */
export function shown(text, length = Buffer.byteLength(text)) {
  if (text.length <= SHOWN) return escaped(text)
  // An emoji counts as one character, as in Rust, and not as two.
  const first = Array.from(text.slice(0, 2 * SHOWN + 2))
  if (first.length <= SHOWN) return escaped(text)
  return `${escaped(first.slice(0, SHOWN).join(''))}… (${length} bytes)`
}

// What would control the reader's terminal, or mislead the reader: control
// characters, line separators, and marks that change the writing direction.
const CONTROL = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu
const NAMED = { '\t': '\\t', '\n': '\\n', '\r': '\\r' }

/** Text that cannot control the reader's terminal. */
export function escaped(text) {
  return text.replace(CONTROL, character =>
    NAMED[character] ?? `\\u{${character.codePointAt(0).toString(16)}}`)
}
