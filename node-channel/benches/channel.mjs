// Node's halves of the measurement: channel/roles.rs is the same in Rust.
//
//     node channel.mjs json PROGRAM ARGUMENTS    # a parent, asked on stdin
//     node channel.mjs                           # a child that echoes

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

if (process.send) process.on('message', message => process.send(message))
else await parent(...process.argv.slice(2))

async function parent(serialization, program, ...args) {
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc']
  const child = spawn(program, args, { serialization, stdio })
  child.on('exit', code => { process.exitCode = code ?? 1 })
  for await (const line of createInterface({ input: process.stdin })) {
    const { milliseconds, at_once: atOnce, payload } = JSON.parse(line)
    const { text, record } = payload
    const good = record ? isEqual : (one, other) => one === other
    const value = record ?? text
    const { count, took } = await trips(child, value, good, milliseconds, atOnce)
    console.log(count, Math.round(took * 1e6))
  }
  child.disconnect()
}

function trips(child, value, good, milliseconds, atOnce) {
  return new Promise((resolve, reject) => {
    let count = 0
    let sent = atOnce
    const begin = performance.now()
    child.on('message', function next(answer) {
      if (!good(answer, value)) return reject(Error('another answer'))
      count += 1
      const took = performance.now() - begin
      if (took < milliseconds) {
        sent += 1
        child.send(value)
      } else if (count === sent) {
        child.off('message', next)
        resolve({ count, took })
      }
    })
    for (let first = 0; first < atOnce; first++) child.send(value)
  })
}

// By name, as Rust's derived comparison does it: to walk over the keys would
// take longer than the message.
function isEqual(one, other) {
  return one.id === other.id && one.customer === other.customer &&
    one.express === other.express && one.total === other.total &&
    one.note === other.note && one.tags.length === other.tags.length &&
    one.tags.every((tag, at) => tag === other.tags[at]) &&
    one.lines.length === other.lines.length &&
    one.lines.every((line, at) => line.article === other.lines[at].article &&
      line.count === other.lines[at].count &&
      line.price === other.lines[at].price)
}
