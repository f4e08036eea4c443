// Producer: appends events to a topic, and knows when each is stored.
//
// Rust twin: ../src/bin/producer.rs. Other half: consumer.js.
//
//     npm ci --prefix event-log                   # once
//     tansu                                       # or another Kafka
//     node event-log/node/consumer.js             # in a second terminal
//     node event-log/node/producer.js             # in a third
//
// Try this: `--keys cart-1`, so that all events go to one partition.

import { args } from '../../common/node/args.js'
import { error, fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { answered, stop } from '../../common/node/shutdown.js'
import { createTopic, place } from './topic.js'

const { message, keys, every, count, ...where } = args(
  'Appends numbered events to a topic.', {
    ...place,
    message: {
      value: 'TEXT',
      default: 'event',
      help: 'What the events are called; each has its number after it',
    },
    keys: {
      value: 'LIST',
      default: 'cart-1,cart-2,cart-3',
      help: 'The keys of the events, in turn',
      parse: text => text.split(','),
    },
    ...pace, // --every and --count
  })
const { topic } = where

// How kafkajs says that no broker has answered in time.
const NO_ANSWER = 'KafkaJSNumberOfRetriesExceeded'

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Create the topic, unless it exists. Returns kafkajs's client.
  const kafka = await createTopic(where)
  const producer = await connect(kafka)

  // 2. Make an event at each tick, until the last one or Ctrl-C.
  let number = 0
  for await (const _ of ticks({ every, count }, stop)) {
    const key = keys[number % keys.length]
    number += 1
    const value = `${message} ${number}`
    // After Ctrl-C, wait for the answer for one second more.
    const appended = append(producer, key, value)
    const stored = await answered(appended).catch(error => {
      throw Error(`perhaps not stored: ${key}: ${value}: ${error.message}`)
    })
    line(`stored: ${shown(key)}: ${shown(value)} ` +
      `(partition ${stored.partition}, offset ${stored.baseOffset})`)
  }
  await producer.disconnect()
}

// 3. Makes a producer. It connects now, where Rust's does in the background. It
//    chooses the partition, by a hash of the key: the same one as Java's, and
//    the one that Rust asks for.
async function connect(kafka) {
  const producer = kafka.producer()
  await producer.connect()
  return producer
}

// 4. Appends an event to its key's partition, and waits until the broker has
//    confirmed it. All events of one key are in one partition, in order.
//
//    Without an answer, nobody knows whether the broker has the event, so it
//    is appended again. It may be in the log twice, but it is not lost.
async function append(producer, key, value) {
  while (true) {
    try {
      const event = { key, value }
      const [stored] = await producer.send({ topic, messages: [event] })
      return stored
    } catch (failure) {
      if (failure.name !== NO_ANSWER) throw failure
      error(`${failure.message}; trying again`)
    }
  }
}
