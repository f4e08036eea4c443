// The parent: starts a child, writes to its stdin and reads what it prints.
//
// Rust twin: ../src/bin/parent.rs. Other half: child.js.
//
//     node stdio-ipc/node/parent.js
//     node stdio-ipc/node/parent.js -- cat
//
// Try this: `sh -c 'ls no-such-file; kill -9 $$'` in place of `cat`.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { args } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'
import { lines } from './lines.js'

const { message, program, ...rest } = args(
  'Starts a child with three pipes, and talks to it.', {
    message: {
      value: 'TEXT',
      default: 'Hello from parent',
      help: 'What to send, a line each time',
    },
    ...pace,
    count: {
      ...pace.count,
      default: '1',
      help: 'How many messages to send before stdin is closed',
    },
    program: {
      rest: true,
      help: 'What to start instead of our own child, with its arguments',
    },
  })

// How long a child may take to end after Ctrl-C, before it is killed.
const END_TIMEOUT = 1000

parent().catch(fail) // prints the error, and ends with status 1

async function parent() {
  // 1. Start the child, with a pipe for each of its three streams.
  const child = await start()

  // 2. Send and receive at the same time. A pipe holds some 64 KiB. If we
  //    read nothing, the child's output would fill its pipe, and the child
  //    would wait for us. The same happens if we read stdout, and never
  //    stderr.
  const closed = new AbortController()
  send(child.stdin, closed.signal).catch(fail)
  const ended = Promise.all([
    once(child, 'close'), // 'exit' may come before the last line
    receive(child.stdout, 'Received from child'),
    receive(child.stderr, 'Child stderr'),
  ])
  const [[code, signal]] = await Promise.race([ended, overdue(child)])
  closed.abort() // ends send(); Rust's select! does so by dropping it

  // 3. The child has ended, and so have its outputs.
  const reason = signal ? `was killed by ${signal}` : `exited with code ${code}`
  line(`Child process ${reason}`)
  process.exitCode = code === 0 || stop.aborted ? 0 : 1
}

// 4. Starts the program that was named, or else our own child.
async function start() {
  const own = [process.execPath,
    fileURLToPath(new URL('child.js', import.meta.url))]
  const [command, ...argv] = program.length > 0 ? program : own
  try {
    const child = spawn(command, argv, { stdio: ['pipe', 'pipe', 'pipe'] })
    process.on('exit', () => child.kill()) // should we fail: not left behind
    await once(child, 'spawn')
    return child
  } catch ({ message }) {
    throw Error(`start ${command}: ${message}`)
  }
}

// 5. Sends the message at each tick, a line each time.
async function send(stdin, signal) {
  // EPIPE: the child reads no more, as `head` when it has enough. Its exit
  // code says whether something is wrong.
  stdin.on('error', () => {})
  const write = promisify(stdin.write).bind(stdin)
  for await (const _ of ticks(rest, signal)) {
    // Back-pressure: this waits while the child does not read.
    await write(`${message}\n`).catch(() => {})
  }
  // The child reads the end. Without that most programs would wait for more,
  // and we for them.
  stdin.end()
}

// 6. Receives lines from one of the child's outputs, and prints them.
async function receive(output, what) {
  for await (const text of lines(output)) line(`${what}: ${shown(text)}`)
}

// Waits for Ctrl-C, and a second longer: the child should have ended by then.
async function overdue(child) {
  await once(stop, 'abort')
  await sleep(END_TIMEOUT, undefined, { ref: false })
  child.kill('SIGKILL')
  return [await once(child, 'exit')]
}
