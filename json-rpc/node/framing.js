// Where a message ends in a stream of bytes, in the two ways that are in use:
//
// - lines: one line each, as in MCP.
// - headers: `Content-Length: N`, an empty line, N bytes, as in language
//   servers.
//
// Rust twin: ../src/framing.rs.

// The longest message that is accepted, in bytes: one without an end would
// fill the memory.
const MAX_MESSAGE = 16 * 1024 * 1024

/** The flag `--framing` of both halves. */
export const framingFlag = {
  value: 'FRAMING',
  default: 'lines',
  help: 'How the end of a message is marked: lines or headers',
  parse: text => {
    if (text === 'lines' || text === 'headers') return text
    throw Error('expected lines or headers')
  },
}

/** A message as it is sent, with its end marked. */
export function encode(framing, text) {
  // JSON has no line break within a message: it writes \n in a text.
  if (framing === 'lines') return `${text}\n`
  const length = Buffer.byteLength(text) // in bytes: 中 has three
  return `Content-Length: ${length}\r\n\r\n${text}`
}

/**
 * Hands out the messages of a stream. Throws when nobody can say where the
 * next one begins.
 */
export async function* messages(framing, stream) {
  const next = framing === 'lines' ? nextLine : nextAfterHeaders
  let bytes = Buffer.alloc(0)
  for await (const piece of stream) {
    bytes = Buffer.concat([bytes, piece])
    for (;;) {
      const found = next(bytes)
      if (found === null) break // the rest is still missing
      yield found.message
      bytes = bytes.subarray(found.end)
    }
    if (bytes.length > MAX_MESSAGE) tooLong()
  }
  if (bytes.length === 0) return
  if (framing === 'headers') throw Error('the input ends within a message')
  yield bytes.toString() // the last line needs no end
}

// One line, without its end.
function nextLine(bytes) {
  const end = bytes.indexOf('\n')
  if (end < 0) return null
  return { message: bytes.subarray(0, end).toString().trimEnd(), end: end + 1 }
}

// Lines of headers up to an empty one, and then as many bytes as one of them
// says.
function nextAfterHeaders(bytes) {
  let length = null
  let begin = 0
  for (;;) {
    const found = nextLine(bytes.subarray(begin))
    if (found === null) return null
    begin += found.end
    if (found.message === '') break
    const [name, value] = found.message.split(/:(.*)/s)
    if (value === undefined) {
      throw Error(`${JSON.stringify(found.message)} is no header: is it a log?`)
    }
    if (name.toLowerCase() === 'content-length') length = Number(value)
  }
  if (!Number.isSafeInteger(length) || length < 0) {
    throw Error('there is no Content-Length')
  }
  if (length > MAX_MESSAGE) tooLong()
  const end = begin + length
  if (bytes.length < end) return null
  return { message: bytes.subarray(begin, end).toString(), end }
}

function tooLong() {
  throw Error('a message is longer than 16 MiB')
}
