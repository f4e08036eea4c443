// Where requests come from. Rust twin: ../src/web.rs.

/**
 * May this request use the server?
 *
 * A browser asks nobody before it opens a WebSocket: without this, any site
 * that somebody visits could read along in their name. What is no browser
 * sends no Origin, and could send any.
 */
export function admits({ headers: { origin, host } }, named) {
  if (origin === undefined) return true
  const [, own] = origin.split('://')
  return own === host ||
    named.some(site => site.replace(/\/+$/, '') === origin)
}
