// The first version of the child. Rust twin: child.rs.
import { createInterface } from 'node:readline'

const lines = createInterface({ input: process.stdin })
lines.on('line', line => {
  console.log(`Received from parent: ${line}`)
  console.log('Hello from child')
})
lines.on('close', () => console.log('Parent closed stdin'))
