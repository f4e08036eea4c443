// Child: says hello to its parent every three seconds, over the channel
// that it was started with, and prints the answers.
//
// Rust twin: ../src/bin/child.rs. Other half: parent.js, which starts this.
//
//     cargo run -p fork-ipc --bin parent -- -- node fork-ipc/node/child.js
//     node fork-ipc/node/child.js               # no parent: says so

import { args } from '../../common/node/args.js'
import { error, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'

const { message, ...rest } = args(
  'Says hello to the parent that started it, and prints the answers.', {
    message: { value: 'TEXT', default: 'hello', help: 'What to send' },
    ...pace,
  })

// 1. Take the channel: Node has done so before this line, and has removed
//    its name from the environment.
if (!process.channel) fail('not started with a channel: NODE_CHANNEL_FD ' +
  'is not set')

function fail(why) {
  error(`Error: ${why}`)
  process.exit(1)
}

// 2. Send, now and at every tick, until that was all or Ctrl-C.
let sent = 0
let said = false
const closed = new AbortController()

async function say() {
  for await (const _ of ticks(rest, closed.signal)) {
    sent += 1
    // Wait until it is on its way, or the queue grows without end while the
    // parent does not read.
    await new Promise(resolve => process.send(message, why => {
      // Has it gone? Then 'disconnect' says so.
      const gone = !process.connected || why?.code === 'EPIPE'
      if (why && !gone) fail(`send: ${why.message}`)
      resolve()
    }))
  }
  said = true
  finish()
}
say()

// 3. Print the answers. A message is whole, whatever pieces it came in, and
//    any JSON value.
let answered = 0
process.on('message', answer => {
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer)
  line(`message from parent: ${shown(text)}`)
  answered += 1
  finish()
})

// 4. All is answered: disconnect, and the parent knows that too.
let done = false
function finish() {
  if (!said || answered < sent || done) return
  done = true
  if (process.connected) process.disconnect()
}

// The parent's end is closed: on purpose or by its death, that looks the
// same.
process.on('disconnect', () => {
  closed.abort()
  if (!done && !stop.aborted) fail('the parent has disconnected')
})
