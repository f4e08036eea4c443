// Refuses the URL of a server of which a client would ignore a part, and
// silently use a default instead. Rust twin: ../src/url.rs.

/**
 * Checks `url`, which must have one of these `schemes`. The URL itself may
 * hold a password, so the error does not repeat it.
 */
export function check(url, schemes) {
  const [scheme, rest] = url.split(/:\/\/(.*)/s)
  ensure(rest !== undefined && schemes.includes(scheme),
    `expected ${schemes.join(':// or ')}://...`)
  ensure(!/[?# ]/.test(rest), 'write ? as %3F, # as %23 and a space as %20')
  const [authority, path = ''] = rest.split(/\/(.*)/s)
  if (scheme === 'unix') {
    ensure(authority === '', 'expected unix:///PATH')
    return
  }
  const [, login, host] = /^(?:(.*)@)?(.*)$/s.exec(authority)
  if (login !== undefined) {
    const [user, password] = login.split(/:(.*)/s)
    ensure(password, 'expected USER:PASSWORD before the @')
    // Redis has a password without a user.
    ensure(user || scheme === 'redis', 'there is no user')
  }
  ensure(host !== '' && !host.startsWith(':'), 'there is no host')
  ensure(!host.endsWith(':0'), 'there is no port 0')
  ensure(scheme !== 'redis' || /^\d*$/.test(path), 'a database is a number')
}

function ensure(isSo, message) {
  if (!isSo) throw Error(message)
}
