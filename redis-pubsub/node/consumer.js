// Redis consumer: prints what is published to a channel while it listens.
//
// Rust twin: ../src/bin/consumer.rs. Other half: producer.js.
//
//     npm ci --prefix redis-pubsub/node           # once
//     node redis-pubsub/node/consumer.js
//     node redis-pubsub/node/producer.js          # in a second terminal

import { args } from '../../common/node/args.js'
import { findRedis } from '../../common/node/broker.js'
import { error, escaped, line, ready, shown } from '../../common/node/log.js'
import { pace } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'
import { address, clientFor, reason } from './client.js'

const { channel, pattern, count } = args(
  'Prints what is published to a channel of Redis.', {
    channel: {
      positional: true,
      default: 'channel',
      help: 'The channel to listen on',
    },
    pattern: { help: "Listen on every channel that matches it, like 'news.*'" },
    count: pace.count,
  })
const LOST = 'what was published meanwhile is lost'
const topic = escaped(channel)
let redis
let client
let listening = false
let left = count

try {
  // 1. Find Redis: REDIS_URL, or one of our own that ends with us.
  redis = await findRedis('redis-pubsub')
  client = clientFor(redis.url, again)

  // 2. Subscribe. Redis keeps nothing for those who do not listen: what
  //    was published before this line is gone.
  await client.connect().catch(error => {
    throw Error(`connect to ${address(redis.url)}: ${reason(error)}; ` +
      'is that a running Redis?')
  })
  if (pattern) await client.pSubscribe(channel, hear)
  else await client.subscribe(channel, hear)
  ready(`listening on ${topic}`)
  listening = true
  client.on('ready', () => line(`listening on ${topic} again; ${LOST}`))
  if (stop.aborted || left === 0) end()
  stop.addEventListener('abort', end)
} catch (failure) {
  error(`Error: ${reason(failure)}`)
  process.exitCode = 1
  end()
}

// 3. Print what arrives, until that was all.
function hear(message, channel) {
  if (left === 0) return // of what came in the same piece
  line(`Received from ${shown(channel)}: ${shown(message)}`)
  left -= 1
  if (left === 0) end()
}

// 4. Redis went away. For us it keeps nothing either.
function again(retries, failure) {
  if (!listening) return false
  if (retries === 0) {
    line('disconnected')
    return 0
  }
  // 5. Try until it works, and wait twice as long each time: a server that
  //    is just starting has better things to do than to turn us away. The
  //    client subscribes again by itself, and is 'ready' after that.
  const pause = Math.min(50 * 2 ** retries, 5000)
  error(`connect to ${address(redis.url)}: ${reason(failure)}; ` +
    `next try in ${pause < 1000 ? `${pause}m` : pause / 1000}s`)
  return pause
}

function end() {
  client?.destroy()
  redis?.end()
}
