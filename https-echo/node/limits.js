// Time limits. Without them, a client that is silent or slow would hold its
// connection indefinitely. Rust twin: ../src/limits.rs.

/**
 * How long a client may take for the TLS handshake and for a request's headers,
 * and how long a connection may be silent; milliseconds.
 */
export const TIMEOUT = 10_000

/** For createSecureServer(). */
export const limits = {
  // For HTTP/1.1.
  headersTimeout: TIMEOUT,
  keepAliveTimeout: TIMEOUT,
  connectionsCheckingInterval: 1000,
  // For HTTP/2: how many requests of a connection are answered at once.
  settings: { maxConcurrentStreams: 200 },
}
