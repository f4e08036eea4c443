// Gives a connection up after an error, with a code that says why. Rust twin:
// ../src/closing.rs.

import { error } from '../../common/node/log.js'

const CODES = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_INVALID_UTF8: 1007,
}

/**
 * Prints the error that ends a connection. Returns the code with which `ws` has
 * told the other side what it did wrong; it is 1006 where nothing was sent,
 * since the connection is lost.
 */
export function giveUp({ code, message }) {
  error(`socket: ${message}`)
  return code?.startsWith('WS_ERR_') ? CODES[code] ?? 1002 : 1006
}
