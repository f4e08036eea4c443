// The first version of the parent. Rust twin: parent.rs.
// `node parent.js first-child` starts the Rust child instead of child.js.
import { fork } from 'node:child_process'

const [program = process.execPath, script = 'fork-ipc/first/child.js'] =
  process.argv.slice(2)
const child = fork(script, { execPath: program })
child.on('message', message => {
  console.log(`message from child: ${message}`)
  child.send('hi')
})
