// Receives lines through a named pipe. Rust twin: reader.rs.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

const [path = '/tmp/hello.fifo'] = process.argv.slice(2)
console.log('waiting for a writer')
const fifo = createReadStream(path) // opens when a process opens it to write
const lines = createInterface({ input: fifo })
lines.on('line', line => console.log(`received: ${line}`))
lines.on('close', () => console.log('the last writer has closed it'))
