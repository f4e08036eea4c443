// Requests that are refused before their target matters. Rust twin:
// ../src/target.rs.

/** The status for a request that is to be refused, if it is. */
export function refusal({ httpVersion, headers, rawHeaders }) {
  // As many as hyper allows; each has a name and a value.
  if (rawHeaders.length > 2 * 100) return 431
  // A server must know which of its names was asked for: RFC 9112, 3.2.
  const host = headers.host ?? headers[':authority'] // HTTP/2
  if (httpVersion >= '1.1' && host === undefined) return 400
}
