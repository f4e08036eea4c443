// The client's URL. Rust twin: ../src/url.rs.

/** A `URL` of the form `http://HOST[:PORT][/PATH]`, or with `https`. */
export function httpUrl(text) {
  const url = URL.canParse(text) ? new URL(text) : {}
  if (!['http:', 'https:'].includes(url.protocol)) {
    throw Error('expected http://HOST:PORT/PATH')
  }
  return url
}

/** What to ask for, unless told otherwise. */
export function defaultUrl({ tls }) {
  return new URL(tls ? 'https://127.0.0.1:8443/hello'
    : 'http://127.0.0.1:8888/hello')
}
