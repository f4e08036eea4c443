// The first version of the producer. Rust twin: producer.rs.
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'redis'

const client = createClient({ url: 'redis://127.0.0.1:6379' })
client.on('error', error => console.error(error.message))
await client.connect()
for (let number = 1; ; number += 1) {
  await client.lPush('todo', `job ${number}`)
  console.log(`added: job ${number}`)
  await sleep(3000)
}
