// The same two halves with Node's other client of Redis, ioredis: what
// differs is when it connects, and what it does while it cannot.
//
//     node redis-pubsub/node/ioredis.js consumer unix:///PATH
//     node redis-pubsub/node/ioredis.js producer redis://127.0.0.1:6379

import Redis from 'ioredis'

const [half, url] = process.argv.slice(2)
// It connects here, unlike the other client, and knows no unix: URLs.
const redis = new Redis(url.replace(/^unix:\/\//, ''), {
  retryStrategy: () => null, // by default: for ever
})
redis.on('error', fail)

try {
  if (half === 'producer') {
    const subscribers = await redis.publish('channel', 'Hello from ioredis')
    console.log(`Sent to channel: Hello from ioredis (${subscribers})`)
    redis.disconnect()
  } else {
    // An event for all channels, not a callback for each.
    redis.on('message', (channel, message) => {
      console.log(`Received from ${channel}: ${message}`)
      redis.disconnect()
    })
    await redis.subscribe('channel')
    console.log('listening on channel')
  }
} catch (error) {
  fail(error)
}

// Says it once: without a connection, each command fails as well.
function fail({ message, code }) {
  if (!process.exitCode) console.error(`Error: ${message || code}`)
  process.exitCode = 1
  redis.disconnect()
}
