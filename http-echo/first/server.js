// The first version of the HTTP echo server. Rust twin: server.rs.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  console.log(`url ${request.url}`)
  response.end(request.url)
})
server.listen(8888, '127.0.0.1', () => {
  console.log('listening on 127.0.0.1:8888')
})
