// How much and how long a client may ask of the server. Rust twin:
// ../src/limits.rs.

import { wholeNumber } from '../../common/node/args.js'
import { HEADER_LIMIT } from './target.js'

const ms = text => wholeNumber(text, 1, 86_400_000)

/** The server's flags for its limits. */
export const limits = {
  'header-timeout': {
    value: 'MS',
    default: '10000',
    help: 'Milliseconds that a client may take for a request\'s headers',
    parse: ms,
  },
  'idle-timeout': {
    value: 'MS',
    default: '5000',
    help: 'Milliseconds without a byte that end a connection',
    parse: ms,
  },
  'body-limit': {
    value: 'BYTES',
    default: String(16 * 1024 * 1024),
    help: 'Longest body that is read; a longer one is answered with 413',
    parse: text => wholeNumber(text, 0),
  },
}

/** The options for `createServer` within these limits. */
export function options(limit) {
  const headersTimeout = limit['header-timeout']
  return {
    headersTimeout,
    // Node looks at the clock only so often, by default every 30 seconds.
    connectionsCheckingInterval: Math.ceil(headersTimeout / 4),
    // For a whole request. A long body may take long, while it moves.
    requestTimeout: 0,
    keepAliveTimeout: limit['idle-timeout'],
    // More: 431.
    maxHeaderSize: HEADER_LIMIT,
    // HTTP/2: how many requests of one connection are answered at once.
    settings: { maxConcurrentStreams: 100 },
    // TLS: for the handshake.
    handshakeTimeout: headersTimeout,
    certs: limit.certs,
    requireHostHeader: false, // see target.js
    noDelay: true,
  }
}
