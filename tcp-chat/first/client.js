// The first version of the TCP chat client. Rust twin: client.rs.
import { connect } from 'node:net'

const socket = connect(8000, '127.0.0.1')
socket.on('connect', () => console.log('connected.'))
process.stdin.on('data', bytes => socket.write(bytes))
socket.on('data', bytes => process.stdout.write(bytes))
socket.on('end', () => {
  console.log('disconnected.')
  process.exit()
})
