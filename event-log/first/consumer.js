// The first version of the consumer. Rust twin: consumer.rs.
import { Kafka, logLevel } from 'kafkajs'

const brokers = ['127.0.0.1:9092']
const kafka = new Kafka({ brokers, logLevel: logLevel.ERROR })
const consumer = kafka.consumer({ groupId: 'first', sessionTimeout: 6000 })
await consumer.connect()
await consumer.subscribe({ topic: 'log', fromBeginning: true })
console.log('listening on log')
await consumer.run({
  eachMessage: async ({ message }) => console.log(`done: ${message.value}`),
})
