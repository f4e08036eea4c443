// Redis producer: publishes to a channel, and says how many listened.
//
// Rust twin: ../src/bin/producer.rs. Other half: consumer.js.
//
//     npm ci --prefix redis-pubsub/node           # once
//     node redis-pubsub/node/consumer.js          # in a second terminal
//     node redis-pubsub/node/producer.js

import { args } from '../../common/node/args.js'
import { findRedis } from '../../common/node/broker.js'
import { error, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop, unlessOverdue } from '../../common/node/shutdown.js'
import { address, clientFor, reason } from './client.js'

const { channel, message, every, count } = args(
  'Publishes to a channel of Redis.', {
    channel: {
      positional: true,
      default: 'channel',
      help: 'The channel to publish to',
    },
    message: {
      value: 'TEXT',
      default: 'Hello from producer',
      help: 'What to publish',
    },
    ...pace,
  })
let redis
let client

try {
  // 1. Find Redis: REDIS_URL, or the one that the consumer has started.
  redis = await findRedis('redis-pubsub')
  client = clientFor(redis.url, false)

  // 2. Connect.
  await client.connect().catch(error => {
    throw Error(`connect to ${address(redis.url)}: ${reason(error)}; ` +
      'is that a running Redis?')
  })

  // 3. Publish, now and at every tick, until that was all or Ctrl-C.
  for await (const _ of ticks({ every, count }, stop)) {
    // An error leaves open whether the message was passed on: the answer
    // may be what got lost. Sent again, it could arrive twice.
    const published = client.publish(channel, message)
    const subscribers = await unlessOverdue(published).catch(error => {
      throw Error(`publish: ${reason(error)}; it may have arrived or not`)
    })

    // 4. Say who got it. The number counts the connections that Redis has
    //    put it into the queue of; nobody ever answers that it was read,
    //    so it promises nothing.
    const fate = subscribers === 0 ? 'nobody listens: lost'
      : subscribers === 1 ? '1 listens, read or not'
        : `${subscribers} listen, read or not`
    line(`Sent to ${shown(channel)}: ${shown(message)} (${fate})`)
  }
} catch (failure) {
  error(`Error: ${reason(failure)}`)
  process.exitCode = 1
}
client?.destroy()
await redis?.end()
