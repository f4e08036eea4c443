// The first version of the Redis consumer. Rust twin: consumer.rs.
import { createClient } from 'redis'

const client = createClient({ url: 'redis://127.0.0.1:6379' })
client.on('error', error => console.error(error.message))
await client.connect()
await client.subscribe('channel', (text, channel) => {
  console.log(`Received from ${channel}: ${text}`)
})
console.log('listening on channel')
