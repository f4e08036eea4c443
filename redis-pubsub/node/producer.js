// Redis producer: publishes to a channel, and says how many received it.
//
// Rust twin: ../src/bin/producer.rs. Other half: consumer.js.
//
//     npm ci --prefix redis-pubsub                # once
//     redis-server                                # in a first terminal
//     node redis-pubsub/node/consumer.js          # in a second
//     node redis-pubsub/node/producer.js          # in a third
//
// Try this: start two consumers, or none.

import { args } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { answered, stop } from '../../common/node/shutdown.js'
import { check } from '../../common/node/url.js'
import { clientFor, noConnection, reason } from './redis.js'

const { channel, message, redis, ...timing } = args(
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
    redis: {
      value: 'URL',
      default: 'redis://127.0.0.1:6379',
      help: 'Where Redis is',
    },
    ...pace,
  })

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Connect.
  check(redis, ['redis', 'unix']) // refuses a URL that is not understood
  const client = clientFor(redis) // with timeouts; sends nothing yet
  await connect(client)

  // 2. Publish at each tick, until the last one or Ctrl-C.
  for await (const _ of ticks(timing, stop)) {
    // An error leaves open whether the message was delivered: perhaps only
    // the answer was lost. Do not publish it again, as it could arrive twice.
    const receivers = await publish(client).catch(error => {
      throw Error(`publish: ${reason(error)}; it may have arrived or not`)
    })
    line(`Sent to ${shown(channel)}: ${shown(message)} (${fate(receivers)})`)
  }
  client.destroy()
}

// 3. Connects.
async function connect(client) {
  await client.connect().catch(error => {
    throw noConnection(redis, error)
  })
}

// 4. Publishes once. Returns how many subscribers Redis has passed it on to.
async function publish(client) {
  const published = client.publish(channel, message)
  // After Ctrl-C, wait for the answer for one second more.
  return answered(published)
}

// 5. Says what that number means. It counts the connections that Redis has
//    queued the message for. Nobody ever confirms that it was read.
function fate(receivers) {
  if (receivers === 0) return 'no subscriber: lost'
  if (receivers === 1) return 'queued for 1 subscriber'
  return `queued for ${receivers} subscribers`
}
