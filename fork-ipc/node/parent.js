// Parent: starts a child with a channel to it, prints what the child says,
// and answers.
//
// Rust twin: ../src/bin/parent.rs. Other half: child.js, started from here.
//
//     node fork-ipc/node/parent.js
//     cargo build -p fork-ipc --bins
//     node fork-ipc/node/parent.js -- target/debug/child

import { fork, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { args } from '../../common/node/args.js'
import { error, line, shown } from '../../common/node/log.js'
import { pace } from '../../common/node/pace.js'
import { overdue, stop } from '../../common/node/shutdown.js'

const { message, every, count, quiet, program } = args(
  'Starts a child, prints what it says, and answers each message.', {
    message: { value: 'TEXT', default: 'hi', help: 'What to answer' },
    ...pace, // for its own child
    program: {
      rest: true,
      help: 'The program to start instead of its own child, and its arguments',
    },
  })

// 1. Start the child. It has our stdin, stdout and stderr, and one end of
//    the channel more.
const [name, ...rest] = program
const child = start()
child.on('error', ({ message }) => fail(message))

function start() {
  if (!name) {
    return fork(fileURLToPath(new URL('child.js', import.meta.url)), [
      `--every=${every}`,
      ...count < Infinity ? [`--count=${count}`] : [],
      ...quiet ? ['--quiet'] : [],
    ])
  }
  try {
    const stdio = ['inherit', 'inherit', 'inherit', 'ipc']
    return spawn(name, rest, { stdio })
  } catch ({ message }) { // some errors are thrown, others are events
    fail(message)
  }
}

function fail(message) {
  error(`Error: start ${name ?? process.execPath}: ${message}`)
  process.exit(1)
}

// 2. Print what it says and answer, until its end of the channel is closed:
//    on purpose or by its death, that looks the same.
child.on('message', said => {
  const text = typeof said === 'string' ? said : JSON.stringify(said)
  line(`message from child: ${shown(text)}`)
  // Node cannot stop reading from a channel: while the child does not read,
  // the answers queue here. Gone meanwhile? 'disconnect' says so.
  child.send(message, () => {})
})

// 3. Disconnect as well: a child that waits for more has nothing to wait
//    for. It may take its time to end, but only a second after Ctrl-C: then
//    it is killed.
stop.addEventListener('abort', () => {
  if (child.connected) child.disconnect()
})
overdue(() => child.kill('SIGKILL'))
child.on('disconnect', () => line('child disconnected'))

// 4. Only now is it known how the child ended.
child.on('exit', (code, signal) => {
  const how = signal ? `was killed by ${signal}` : `exited with code ${code}`
  line(`child ${how}`)
  if (code !== 0 && !stop.aborted) {
    error(`Error: the child ${how}`)
    process.exitCode = 1
  }
})
