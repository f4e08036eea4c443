// The limits of a connection, and a message as it is printed. Rust twin:
// ../src/lib.rs.

import { shown as shownText } from '../../common/node/log.js'

/** For either side: messages have at most `limit` bytes. */
export const limits = limit => ({
  maxPayload: limit,
  // A message may come in fragments. Each is an object, even an empty one,
  // so their number is limited, too.
  maxFragments: 128 * 1024,
  // No compression: it costs memory for each connection.
  perMessageDeflate: false,
  // How long the other side may take to close, after we have; milliseconds.
  closeTimeout: 1000,
})

/** A message, ready to be printed. */
export function shown(message, isBinary) {
  return isBinary ? `${message.length} bytes` : shownText(`${message}`)
}
