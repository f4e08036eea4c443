// Sends a line through a named pipe. Rust twin: writer.rs.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

const [path = '/tmp/hello.fifo'] = process.argv.slice(2)
// Waits until a process opens it to read.
const fifo = await open(path, constants.O_WRONLY)
await fifo.write('hello\n')
console.log('sent: hello')
await fifo.close() // this is how the reader knows of the end
