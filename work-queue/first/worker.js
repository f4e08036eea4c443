// The first version of the worker. Rust twin: worker.rs.
import { createClient } from 'redis'

const client = createClient({ url: 'redis://127.0.0.1:6379' })
client.on('error', error => console.error(error.message))
await client.connect()
console.log('listening on todo')
while (true) {
  // Takes the oldest job from the list, and waits until there is one.
  const { element: job } = await client.brPop('todo', 0)
  console.log(`taken: ${job}`)
  console.log(`done: ${job}`)
}
