// Parent: starts a child with a channel to it, prints what it sends, and
// answers each message.
//
// Rust twin: ../src/bin/parent.rs. Other half: child.js, started from here.
//
//     node fork-ipc/node/parent.js
//     cargo build -p fork-ipc --bins
//     node fork-ipc/node/parent.js -- target/debug/child
//
// Try this: in a second terminal, `pkill -nf child.js` ends only the child.

import { fork, spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { args } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { pace } from '../../common/node/pace.js'
import { overdue, stop } from '../../common/node/shutdown.js'

const { message, every, count, program } = args(
  'Starts a child, prints what it sends, and answers each message.', {
    message: { value: 'TEXT', default: 'hi', help: 'What to answer' },
    ...pace, // --every and --count, which are passed on to the child
    program: {
      rest: true,
      help: 'The program to start instead of its own child, and its arguments',
    },
  })

parent().catch(fail) // prints the error, and ends with status 1

async function parent() {
  // 1. Start the child.
  const child = await start()
  const exited = once(child, 'exit') // may come at any time from now on

  // 2. Receive and answer, until the child has closed its end of the channel,
  //    on purpose or by its death, or until Ctrl-C.
  stop.addEventListener('abort', () => {
    if (child.connected) child.disconnect() // this ends the loop in answer()
  })
  await answer(child)
  line('child disconnected')

  // 3. Disconnect as well, and wait for the child's end. The end of the
  //    channel is not yet the end of the process.
  const [code, signal] = await end(child, exited)
  const reason = signal ? `was killed by ${signal}` : `exited with code ${code}`
  line(`child ${reason}`)
  if (code !== 0 && !stop.aborted) throw Error(`the child ${reason}`)
}

// 4. Starts the named program, or our own child. It inherits our stdin, stdout
//    and stderr, and one of two connected Unix sockets as descriptor 3.
//    `NODE_CHANNEL_FD=3` in its environment tells it where.
async function start() {
  const [name, ...rest] = program
  const flags = [`--every=${every}`]
  if (count < Infinity) flags.push(`--count=${count}`)
  try {
    const child = name
      ? spawn(name, rest, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
      : fork(fileURLToPath(new URL('child.js', import.meta.url)), flags)
    await once(child, 'spawn')
    return child
  } catch (error) {
    throw Error(`start ${name ?? process.execPath}: ${error.message}`)
  }
}

// 5. Receives and answers. Each message is one line of JSON.
async function answer(child) {
  const messages = on(child, 'message', { close: ['disconnect'] })
  for await (const [received] of messages) {
    const isText = typeof received === 'string'
    const text = isText ? received : JSON.stringify(received)
    line(`message from child: ${shown(text)}`)
    // No back-pressure: Node reads on from a channel, whatever we do. While
    // the child does not read, the answers queue. The callback gets an error
    // when the child has disconnected: then the loop ends, too.
    child.send(message, () => {})
  }
}

// 6. Disconnects, and waits for the child's end. (Node has disconnected
//    already: that has ended the loop above.) A child that still runs a second
//    after Ctrl-C is killed.
async function end(child, exited) {
  overdue().then(() => child.kill('SIGKILL'))
  return exited
}
