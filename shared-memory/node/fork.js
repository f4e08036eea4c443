// What becomes of a SharedArrayBuffer on its way to another process: nothing
// of use. No Rust twin; Rust's way is ../src/bin/parent.rs.
//
//     node shared-memory/node/fork.js

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'

const script = fileURLToPath(import.meta.url)

if (process.argv[2] === 'child') {
  // Changes what it gets, and says what that is.
  process.once('message', got => {
    if (got instanceof Int32Array) Atomics.store(got, 0, 42)
    process.send(inspect(got))
  })
} else {
  const numbers = new Int32Array(new SharedArrayBuffer(4))
  for (const serialization of ['json', 'advanced']) {
    console.log(`serialization: ${serialization}`)
    for (const [name, value] of [
      ['SharedArrayBuffer', numbers.buffer],
      ['Int32Array over it', numbers],
    ]) {
      const child = fork(script, ['child'], { serialization })
      try {
        child.send(value)
        const [got] = await once(child, 'message')
        console.log(`  ${name}: the child got ${got}`)
      } catch ({ message }) {
        console.log(`  ${name}: ${message}`)
      }
      child.kill()
      await once(child, 'exit')
    }
  }
  console.log(`here it is still ${inspect(numbers)}`)
}
