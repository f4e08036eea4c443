// The first version of the HTTPS echo server. Rust twin: server.rs.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'

const server = createServer({
  cert: readFileSync('target/https-echo/leaf.pem'),
  key: readFileSync('target/https-echo/leaf-key.pem'),
}, (request, response) => {
  console.log(`url ${request.url}`)
  response.end(request.url)
})
server.listen(8443, '127.0.0.1', () => {
  console.log('listening on 127.0.0.1:8443')
})
