// The first version of the producer. Rust twin: producer.rs.
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'

const brokers = ['127.0.0.1:9092']
const kafka = new Kafka({ brokers, logLevel: logLevel.ERROR })
const producer = kafka.producer()
await producer.connect()
for (let number = 1; ; number += 1) {
  const event = { key: 'cart-1', value: `event ${number}` }
  await producer.send({ topic: 'log', messages: [event] })
  console.log(`stored: ${event.value}`)
  await sleep(3000)
}
