// The limits of a connection, and how what exceeds them is reported. Rust
// twin: ../src/lib.rs.

import { shown as shownText } from '../../common/node/log.js'

/** For either side: messages have at most `limit` bytes. */
export const limits = limit => ({
  maxPayload: limit,
  // A message may come in fragments. Each is an object, even an empty one,
  // so their number is limited, too.
  maxFragments: 128 * 1024,
  // No compression: it costs memory for each connection.
  perMessageDeflate: false,
})

const CODES = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_INVALID_UTF8: 1007,
}

/**
 * The close code with which `ws` has told the other side what it did wrong.
 * 1006, which is never sent, where that was nothing: the connection is simply
 * lost.
 */
export function closeCode({ code }) {
  return code?.startsWith('WS_ERR_') ? CODES[code] ?? 1002 : 1006
}

/** A message, ready to be printed. */
export function shown(message, isBinary) {
  return isBinary ? `${message.length} bytes` : shownText(`${message}`)
}
