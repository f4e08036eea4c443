// Redis consumer: prints what is published to a channel.
//
// Rust twin: ../src/bin/consumer.rs. Other half: producer.js.
//
//     npm ci --prefix redis-pubsub                # once
//     redis-server                                # in a first terminal
//     node redis-pubsub/node/consumer.js          # in a second
//     node redis-pubsub/node/producer.js          # in a third
//
// Try this: stop the consumer, publish, and start it again.

import { setTimeout as sleep } from 'node:timers/promises'
import { args } from '../../common/node/args.js'
import { error, fail, line, shown } from '../../common/node/log.js'
import { pace } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'
import { check } from '../../common/node/url.js'
import { clientFor, inbox, isRefusal, noConnection } from './redis.js'

const { channel, pattern, redis, count } = args(
  'Prints what is published to a channel of Redis.', {
    channel: {
      positional: true,
      default: 'channel',
      help: 'The channel to subscribe to',
    },
    pattern: { help: "Subscribe to every channel that matches, like 'news.*'" },
    redis: {
      value: 'URL',
      default: 'redis://127.0.0.1:6379',
      help: 'Where Redis is',
    },
    count: pace.count,
  })

// The pause before the first attempt to reconnect, and the longest one.
const FIRST_PAUSE = 100
const MAX_PAUSE = 5000

let client
let pause = FIRST_PAUSE

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Connect and subscribe. Redis stores nothing for those who are not
  //    subscribed: what was published before this line is gone.
  check(redis, ['redis', 'unix']) // refuses a URL that is not understood
  const messages = await subscribe().catch(error => {
    // The error in words: where it was, and what to do.
    throw noConnection(redis, error)
  })
  line(`listening on ${shown(channel)}`)

  // 2. Receive until `--count` messages have come, or until Ctrl-C. That
  //    rejects what is being awaited: the inbox (redis.js) and the pauses.
  await receive(messages).catch(error => {
    if (!stop.aborted) throw error
  })
  client.destroy()
}

// 3. Prints what arrives. When the connection ends, subscribes again.
async function receive(messages) {
  let left = count // Infinity without --count
  while (left > 0) {
    const message = await messages.next()
    if (message) {
      const [text, from] = message
      line(`Received from ${shown(from)}: ${shown(text)}`)
      left -= 1
      pause = FIRST_PAUSE // only now: it works again
    } else {
      line('disconnected')
      messages = await subscribeAgain()
      line(`listening on ${shown(channel)} again; ` +
        'what was published meanwhile is lost')
    }
  }
}

// 4. Connects, and waits until Redis has confirmed the subscription.
async function subscribe() {
  client = clientFor(redis) // with timeouts; sends nothing yet
  // The client calls a function for each message. An inbox (see redis.js)
  // keeps them until we await the next one, as in Rust.
  const messages = inbox(client)
  await client.connect()
  if (pattern) await client.pSubscribe(channel, messages.push)
  else await client.subscribe(channel, messages.push)
  return messages
}

// 5. Subscribes again, with exponential backoff: each pause is twice as long.
//
//    A server that is just starting has enough to do. Random jitter keeps a
//    thousand consumers from reconnecting at the same moment.
async function subscribeAgain() {
  while (true) {
    const wait = Math.floor(pause * (0.5 + Math.random() / 2))
    pause = Math.min(2 * pause, MAX_PAUSE)
    error(`next try in ${wait} ms`)
    await sleep(wait, undefined, { signal: stop })
    try {
      return await subscribe()
    } catch (failure) {
      // "Not allowed": waiting cannot help.
      if (isRefusal(failure)) throw noConnection(redis, failure)
      error(noConnection(redis, failure).message)
    }
  }
}
