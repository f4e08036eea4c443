// The lines of a stream. In Rust, `read_until` and `take` do this.

// The longest line that is kept whole, in characters.
const MAX_LINE = 1024 * 1024

/**
 * Hands out a stream's lines, without their ends. One piece of the stream may
 * hold half a line, or three. A line that is longer than MAX_LINE comes in
 * pieces: without an end, it would fill the memory.
 */
export async function* lines(stream) {
  let begun = ''
  for await (const piece of stream.setEncoding('utf8')) {
    const whole = (begun + piece).split(/\r?\n/)
    begun = whole.pop()
    for (const text of whole) yield text
    if (begun.length >= MAX_LINE) {
      yield begun
      begun = ''
    }
  }
  if (begun) yield begun // the last line needs no end
}
