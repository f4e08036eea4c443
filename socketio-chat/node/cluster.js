// Several servers that are one chat: what one of them is told, it publishes
// to Redis, and the others tell it to their clients.
// Rust twin: ../src/cluster.rs. They cannot join each other: what they
// publish has another form.

import { createAdapter } from '@socket.io/redis-adapter'
import { createClient } from 'redis'
import { error } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'

/** Joins `io` with the others that use the Redis at `url`. */
export async function join(io, url) {
  const publisher = createClient({
    url,
    socket: { connectTimeout: 1000, reconnectStrategy: again },
    // Without Redis, fail at once: what waited for it would be stale news.
    disableOfflineQueue: true,
  })
  const subscriber = publisher.duplicate({ disableOfflineQueue: false })
  let joined = false
  const lost = new Set() // those without a connection: it takes both
  for (const client of [publisher, subscriber]) {
    client.on('error', () => {
      if (!joined) return
      if (lost.size === 0) {
        error('redis: connection lost; only the clients of this server hear ' +
          'each other')
      }
      lost.add(client)
    })
    client.on('ready', () => {
      if (!lost.delete(client) || lost.size > 0) return
      error('redis: connected again')
    })
  }
  try {
    await Promise.all([publisher.connect(), subscriber.connect()])
  } catch ({ message, code }) {
    const { host, pathname } = new URL(url)
    error(`Error: connect to Redis at ${host || pathname}: ${message || code}`)
    process.exit(1)
  }
  joined = true

  // The adapter waits for no answer, so nobody would hear of a failure; a
  // promise that nobody catches ends the process.
  const publish = publisher.publish.bind(publisher)
  publisher.publish = (...event) => publish(...event).catch(() => {})
  io.adapter(createAdapter(publisher, subscriber, { requestsTimeout: 1000 }))
  stop.addEventListener('abort', () => {
    publisher.destroy()
    subscriber.destroy()
  })

  function again(tries) {
    return joined && Math.min(100 * 2 ** tries, 5000)
  }
}
