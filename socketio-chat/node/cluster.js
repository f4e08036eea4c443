// Several servers that are one chat: each publishes its events to Redis, and
// the others send them to their clients.
// Rust twin: ../src/cluster.rs. They cannot join each other: what they
// publish has another form.

import { error, fail } from '../../common/node/log.js'
import { missing } from '../../common/node/packages.js'
import { stop } from '../../common/node/shutdown.js'
import { check } from '../../common/node/url.js'

/** Joins `io` with the others that use the Redis at `url`. */
export async function join(io, url) {
  const { createAdapter } =
    await import('@socket.io/redis-adapter').catch(missing)
  const { createClient } = await import('redis').catch(missing)
  check(url, ['redis', 'rediss', 'unix'])
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
    fail(Error(`connect to Redis at ${host || pathname}: ${message || code}`))
  }
  joined = true

  // The adapter looks at no answer, and a rejected promise would end the
  // process. Waiting does not cure a refusal: report it, once.
  const publish = publisher.publish.bind(publisher)
  let isRefused = false
  publisher.publish = (...event) => publish(...event).catch(({ message }) => {
    if (!isRefused && lost.size === 0) error(`redis: publish: ${message}`)
    isRefused = true
  })
  for (const method of ['subscribe', 'pSubscribe']) {
    const subscribe = subscriber[method].bind(subscriber)
    subscriber[method] = (...channel) =>
      subscribe(...channel).catch(({ message }) =>
        fail(Error(`subscribe at Redis: ${message}`)))
  }
  io.adapter(createAdapter(publisher, subscriber, { requestsTimeout: 1000 }))
  stop.addEventListener('abort', () => {
    publisher.destroy()
    subscriber.destroy()
  })

  function again(tries) {
    // Exponential backoff with jitter.
    return joined && Math.min(100 * 2 ** tries, 5000) * (0.5 + Math.random())
  }
}
