// The first version of the Redis producer. Rust twin: producer.rs.
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'redis'

const client = createClient({ url: 'redis://127.0.0.1:6379' })
client.on('error', error => console.error(error.message))
await client.connect()
while (true) {
  await client.publish('channel', 'Hello from producer')
  console.log('Sent to channel: Hello from producer')
  await sleep(3000)
}
