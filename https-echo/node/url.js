// What the client is asked to ask for. Rust twin: ../src/lib.rs.

/** Refuses a URL of which a part would be ignored. */
export function httpsUrl(text) {
  const url = URL.canParse(text) ? new URL(text) : {}
  if (url.protocol !== 'https:' || url.username || url.password) {
    throw Error(`expected https://HOST:PORT/PATH, not '${text}'`)
  }
  return url
}
