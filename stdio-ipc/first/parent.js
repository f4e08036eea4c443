// The first version of the parent. Rust twin: parent.rs.
// `node parent.js` starts child.js, `node parent.js PROGRAM ...` another child.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const words = process.argv.slice(2)
if (words.length === 0) words.push('node', 'stdio-ipc/first/child.js')
const child = spawn(words[0], words.slice(1))
child.stdin.write('Hello from parent\n')
child.stdin.end() // the child reads the end
createInterface({ input: child.stdout }).on('line', line => {
  console.log(`Received from child: ${line}`)
})
