// The first version of the TCP chat server. Rust twin: server.rs.
import { createServer } from 'node:net'

const clients = new Set()
const server = createServer(socket => {
  clients.add(socket)
  socket.on('data', bytes => {
    for (const client of clients) client.write(bytes)
  })
  socket.on('close', () => clients.delete(socket))
  socket.on('error', error => console.error(error.message))
})
server.listen(8000, '127.0.0.1', () => {
  console.log('listening on 127.0.0.1:8000')
})
