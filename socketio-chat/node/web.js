// Where requests come from. Rust twin: ../src/web.rs.

const LOOPBACK = /^(::1$|(::ffff:)?127\.)/
// What a server there is called, with any port.
const LOCAL = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i

/**
 * May this request use the server?
 *
 * A browser asks nobody before it opens a WebSocket: without this, any site
 * that somebody visits could read along in their name. What is no browser
 * sends no Origin, and could send any.
 */
export function admits({ headers: { origin, host }, socket }, named) {
  const sites = named.map(site => site.replace(/\/+$/, ''))
  // DNS may say of any name that it leads to this computer. For a browser,
  // the pages of that site are then our own, and send no Origin with a GET.
  const misled = LOOPBACK.test(socket.localAddress) && !LOCAL.test(host)
  if (misled && !sites.some(site => hostOf(site) === host)) return false
  if (origin === undefined) return true
  return hostOf(origin) === host || sites.includes(origin)
}

function hostOf(site) {
  return site.split('://')[1]
}
