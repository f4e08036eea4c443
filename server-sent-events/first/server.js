// The first version of the server. Rust twin: server.rs.
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const server = createServer(async (request, response) => {
  console.log('client connected')
  response.setHeader('content-type', 'text/event-stream')
  for (let number = 1; !response.destroyed; number += 1) {
    response.write(`data: tick ${number}\n\n`)
    await sleep(3000)
  }
})
server.listen(8888, '127.0.0.1', () => {
  console.log('listening on 127.0.0.1:8888')
})
