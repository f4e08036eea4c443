// What both halves need: where the topic is, and that it exists. Rust twin:
// ../src/topic.rs.

import { wholeNumber } from '../../common/node/args.js'
import { error, shown as shownText } from '../../common/node/log.js'
import { missing } from '../../common/node/packages.js'

const kafkajs = await import('kafkajs').catch(missing)
const { Kafka, logLevel } = kafkajs
export const { PartitionAssigners } = kafkajs

/** Where a topic is. */
export const place = {
  topic: {
    positional: true,
    default: 'events',
    help: "The topic's name",
  },
  bootstrap: {
    value: 'HOST:PORT',
    default: process.env.KAFKA_BOOTSTRAP ?? '127.0.0.1:9092',
    help: 'Where a broker is; or set KAFKA_BOOTSTRAP in the environment',
  },
  partitions: {
    value: 'N',
    default: '3',
    help: 'How many partitions the topic gets when it is created',
    parse: text => wholeNumber(text, 1, 1000),
  },
}

/**
 * Creates the topic, unless it exists. This is also how we find out that there
 * is no broker. Resolves to the client that makes producers and consumers.
 */
export async function createTopic({ topic, bootstrap, partitions }) {
  const kafka = new Kafka({
    brokers: [bootstrap],
    retry: { retries: 2 },
    // What fails is thrown. It would also log each rebalance as an error.
    logLevel: logLevel.NOTHING,
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    await admin.createTopics({
      // One replica: each event is on one broker only.
      topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }],
    })
  } catch ({ message }) {
    throw Error(
      `connect to ${bootstrap}: ${message}; start a broker first: tansu`)
  }
  await admin.disconnect()
  return kafka
}

// kafkajs is no longer maintained, and asks for timers that end before now.
// Node 24 and later warn of them; they do no harm.
process.removeAllListeners('warning')
process.on('warning', ({ name, message }) => {
  if (name !== 'TimeoutNegativeWarning') error(message)
})

/** A key or a value, ready to be printed. Kafka carries bytes, or nothing. */
export function shown(bytes) {
  return bytes === null ? '(none)' : shownText(bytes.toString(), bytes.length)
}
