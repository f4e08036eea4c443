// Requests that are refused before their target matters. Rust twin:
// ../src/target.rs.

// For the request line and the headers together.
export const HEADER_LIMIT = 16 * 1024

/** The status for a request that is to be refused, if it is. */
export function refusal({ httpVersion, headers, rawHeaders }) {
  // As many as hyper allows; each has a name and a value.
  if (rawHeaders.length > 2 * 100) return 431
  // For HTTP/1 Node has counted them. In HTTP/2 each counts 32 bytes more.
  if (httpVersion === '2.0') {
    const length = rawHeaders.reduce((sum, text) => sum + text.length + 16, 0)
    if (length > HEADER_LIMIT) return 431
  }
  // A server must know which of its names was asked for: RFC 9112, 3.2.
  const host = headers.host ?? headers[':authority'] // HTTP/2
  if (httpVersion >= '1.1' && host === undefined) return 400
}
