// The first version of the parent. Rust twin: parent.rs.
// `node parent.js` starts child.js, `node parent.js PROGRAM ...` another child.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const words = process.argv.slice(2)
if (words.length === 0) words.push('node', 'json-rpc/first/child.js')
const stdio = ['pipe', 'pipe', 'inherit']
const child = spawn(words[0], words.slice(1), { stdio })
const params = { a: 2, b: 3 }
const request = { id: 1, jsonrpc: '2.0', method: 'add', params }
child.stdin.write(`${JSON.stringify(request)}\n`)
createInterface({ input: child.stdout }).once('line', line => {
  console.log(`Received from child: ${line}`)
  console.log(`add: ${JSON.parse(line).result}`)
  child.stdin.end() // the child reads the end
})
