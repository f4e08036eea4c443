// The first version of the child. Rust twin: child.rs.
import { createInterface } from 'node:readline'

createInterface({ input: process.stdin }).on('line', line => {
  const { id, params } = JSON.parse(line)
  const result = params.a + params.b
  console.log(JSON.stringify({ id, jsonrpc: '2.0', result }))
})
