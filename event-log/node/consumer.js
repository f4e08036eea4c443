// Consumer: reads the events of a topic as a member of a group, and commits
// each once it is done.
//
// Rust twin: ../src/bin/consumer.rs. Other half: producer.js.
//
//     npm ci --prefix event-log                   # once
//     tansu                                       # or another Kafka
//     node event-log/node/consumer.js             # in a second terminal
//     node event-log/node/producer.js             # in a third
//
// Try this: start a second consumer, and kill the first one.

import { setTimeout as sleep } from 'node:timers/promises'
import { args, wholeNumber } from '../../common/node/args.js'
import { error, fail, line } from '../../common/node/log.js'
import { stopped } from '../../common/node/shutdown.js'
import { PartitionAssigners, createTopic, place, shown } from './topic.js'

const options = args('Reads the events of a topic as a member of a group.', {
  ...place,
  group: {
    value: 'NAME',
    default: 'readers',
    help: 'The group: each group gets all events, each event goes to one ' +
      'member',
  },
  session: {
    value: 'MS',
    default: '6000',
    help: 'Milliseconds without a heartbeat after which a member counts as ' +
      'dead',
    parse: text => wholeNumber(text, 1000, 1_800_000),
  },
  work: {
    value: 'MS',
    default: '0',
    help: 'Milliseconds of work for each event',
    parse: text => wholeNumber(text, 0, 86_400_000),
  },
})
const { topic, session } = options
const HEARTBEAT = Math.floor(session / 3)
let consumer

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Create the topic, unless it exists. Returns kafkajs's client.
  const kafka = await createTopic(options)

  // 2. Join the group.
  await join(kafka)

  // 3. Work until Ctrl-C, which ends the wait for an event, but not the work
  //    on one: that has 1.5 seconds until shutdown.js exits. kafkajs calls
  //    `work` for one event after the other, where Rust has a loop.
  consumer.run({ autoCommit: false, eachMessage: work }).catch(fail)
  await stopped

  // 4. Leave the group, so that the other members get our partitions at once
  //    and not only after `--session`.
  await consumer.disconnect()
}

// 5. Joins the group. Each partition of the topic is read by one member of it.
async function join(kafka) {
  consumer = kafka.consumer({
    groupId: options.group,
    partitionAssigners: [roundRobin],
    sessionTimeout: session,
    heartbeatInterval: HEARTBEAT,
    // How long a broker without events lets us wait. Ctrl-C waits as long.
    maxWaitTimeInMs: 500,
  })
  consumer.on('consumer.group_join', postRebalance)
  consumer.on('consumer.crash', ({ payload }) => {
    // No connection, say: then kafkajs connects again by itself.
    if (!payload.restart) fail(payload.error)
    error(`receive: ${payload.error.message}`)
  })
  await consumer.connect()
  // A new group begins with the oldest event.
  await consumer.subscribe({ topic, fromBeginning: true })
}

// How partitions are shared out. kafkajs has a name of its own for it; with the
// name that all other clients use, a group can have members in both languages.
function roundRobin(cluster) {
  return { ...PartitionAssigners.roundRobin(cluster), name: 'roundrobin' }
}

// 6. After a rebalance, prints which partitions are ours now. The group makes
//    one whenever a member joins, leaves or dies.
function postRebalance({ payload }) {
  const ours = payload.memberAssignment[topic] ?? []
  line(`listening on partitions [${ours.join(', ')}]`)
}

// 7. Works on an event, and commits it afterwards: the group remembers the
//    offset of the next one. A member that dies in between has done the work,
//    and another member does it again: at-least-once delivery.
async function work({ partition, message, heartbeat }) {
  const { key, value, offset } = message
  const text = `${shown(key)}: ${shown(value)} ` +
    `(partition ${partition}, offset ${offset})`
  line(`taken: ${text}`)
  if (options.work > 0) {
    // kafkajs sends no heartbeats while we work, unless we call this.
    const beat = () => heartbeat().catch(() => {}) // fails in a rebalance
    const timer = setInterval(beat, HEARTBEAT)
    await sleep(options.work)
    clearInterval(timer)
  }
  line(`done: ${text}`)
  // Commits this offset plus one; kafkajs has offsets as strings. Waits for the
  // broker's answer. If it says no, this event comes again.
  const next = String(BigInt(offset) + 1n)
  await consumer.commitOffsets([{ topic, partition, offset: next }])
}
