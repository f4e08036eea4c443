// The client's URL. Rust twin: ../src/url.rs.

/** A `URL` of the form `http://HOST[:PORT][/PATH]`. */
export function httpUrl(text) {
  const url = URL.canParse(text) ? new URL(text) : {}
  if (url.protocol !== 'http:') {
    throw Error('expected http://HOST:PORT/PATH')
  }
  return url
}
