// Child: sends hello to its parent every three seconds, over the channel
// that it was started with, and prints the answers.
//
// Rust twin: ../src/bin/child.rs. Other half: parent.js, which starts this.
//
//     node fork-ipc/node/child.js               # no parent: says so
//     cargo run -p fork-ipc --bin parent -- -- node fork-ipc/node/child.js
//
// Try this: kill the parent, with `kill -9`, and watch the child end.

import { on } from 'node:events'
import { promisify } from 'node:util'
import { args } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'

const { message, ...timing } = args(
  'Sends hello to the parent that started it, and prints the answers.', {
    message: { value: 'TEXT', default: 'hello', help: 'What to send' },
    ...pace,
  })

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Take the channel: the socket whose number is in NODE_CHANNEL_FD. Node
  //    has done so before this line, and has removed the variable, so that no
  //    program that we start looks for a channel.
  if (!process.channel) {
    throw Error('not started with a channel: NODE_CHANNEL_FD is not set')
  }

  // 2. Send and receive at the same time. If both sides only sent, all
  //    buffers would fill up and each would wait for the other: a deadlock.
  await Promise.all([send(), receive()])

  // 3. Disconnect, after all that we sent has been delivered: step 4 has waited
  //    for that, as Node would lose the rest. The parent learns of it at once.
  if (process.connected) process.disconnect()
}

// 4. Sends the message at each tick, until the last one or Ctrl-C.
async function send() {
  // send() with a promise in place of a callback.
  const write = promisify(process.send).bind(process)
  for await (const _ of ticks(timing, stop)) {
    // Back-pressure: this waits while the parent does not read.
    try {
      await write(message)
    } catch (error) {
      if (process.connected && error.code !== 'EPIPE') throw error
      return // the parent has disconnected: receive() reports it
    }
  }
}

// 5. Receives until all is answered, or Ctrl-C. A message is any JSON value,
//    and arrives whole, also when its bytes came in pieces.
async function receive() {
  const messages = on(process, 'message', { close: ['disconnect'] })
  stop.addEventListener('abort', () => {
    if (process.connected) process.disconnect() // this ends `messages`
  })
  let received = 0
  while (received < timing.count) {
    const { value, done } = await messages.next()
    if (done && stop.aborted) return
    if (done) throw Error('the parent has disconnected')
    const [answer] = value // the arguments of the event
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer)
    line(`message from parent: ${shown(text)}`)
    received += 1
  }
}
