// Connecting to Redis, and connecting again. Rust twin: ../src/streams.rs.

import { error } from '../../common/node/log.js'
import { missing } from '../../common/node/packages.js'
import { check } from '../../common/node/url.js'

const { createClient, RESP_TYPES } = await import('redis').catch(missing)

/** Connects to the Redis at `url`. Warns when it may lose jobs in a crash. */
export async function connect(url) {
  check(url, ['redis', 'unix'])
  const client = createClient({
    url,
    socket: {
      connectTimeout: 30_000,
      // Our caller reconnects: it has to know that a job may come twice.
      reconnectStrategy: false,
    },
    // Reject commands while there is no connection. By default they are
    // queued, and sent at some later time.
    disableOfflineQueue: true,
  })
  // Without a listener, Node would end with an uncaught 'error' event. The
  // same errors also reject what is being awaited.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    // The address without the password that a URL may hold.
    const { host, pathname } = new URL(url)
    const why = `connect to ${host || pathname}: ${error.message || error.code}`
    if (isRefusal(error)) throw Error(why)
    throw Error(`${why}; start Redis first: redis-server`)
  }
  await warnOfForgetting(client)
  return client
}

/** The same connection, with bytes instead of strings in its answers. */
export function asBytes(client) {
  return client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
}

/**
 * Connects again after `error`, with exponential backoff. Throws when Redis
 * answers that we may not do this: waiting cannot help.
 */
export async function reconnect(url, error, backoff) {
  while (true) {
    if (isRefusal(error)) throw error
    await backoff.wait(error)
    try {
      return await connect(url)
    } catch (failure) {
      error = failure
    }
  }
}

// Whether Redis answered that this is not allowed, or that the key is of
// another type.
function isRefusal({ message }) {
  return /\b(NOAUTH|NOPERM|WRONGPASS|WRONGTYPE)\b/.test(message)
}

// Warns when this Redis may lose jobs in a crash. One that does not let us ask
// is trusted.
async function warnOfForgetting(client) {
  const settings = await client.configGet('append*').catch(() => undefined)
  if (!settings) return
  if (settings.appendonly !== 'yes' || settings.appendfsync !== 'always') {
    error('this Redis forgets jobs in a crash; ' +
      'it needs appendonly yes, appendfsync always')
  }
}
