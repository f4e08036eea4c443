// The parent: starts a child, writes to its stdin and reads what it prints.
//
// Rust twin: ../src/bin/parent.rs. Other half: child.js. The framing: lines.js.
//
//     node stdio-ipc/node/parent.js
//     node stdio-ipc/node/parent.js -- cat
//
// Try this: `sh -c 'ls no-such-file; kill -9 $$'` in place of `cat`.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { args } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { overdue, stop } from '../../common/node/shutdown.js'
import { lines } from './lines.js'

const { message, program, ...timing } = args(
  'Starts a child with three pipes, and talks to it.', {
    message: {
      value: 'TEXT',
      default: 'Hello from parent',
      help: 'What to send, a line each time',
    },
    ...pace,
    count: { // one of the flags in `pace`; here it has another default
      ...pace.count,
      default: '1',
      help: 'How many messages to send before stdin is closed',
    },
    program: {
      rest: true,
      help: 'What to start instead of our own child, with its arguments',
    },
  })

parent().catch(fail) // prints the error, and ends with status 1

async function parent() {
  // 1. Start the child, with a pipe for each of its three streams.
  const child = await start()

  // 2. Send and receive at the same time. A pipe holds some 64 KiB. If we
  //    wrote everything first, the child's output would fill its pipe, the
  //    child would stop reading, and each would wait for the other: a
  //    deadlock. The same happens if we read stdout, and never stderr. A
  //    child that has not ended a second after Ctrl-C is killed.
  const sending = new AbortController()
  send(child.stdin, sending.signal)
  const exited = once(child, 'exit') // with the code, or the signal's name
  const ended = Promise.all([
    receive(child.stdout, 'Received from child'),
    receive(child.stderr, 'Child stderr'),
    exited, // may come before the last line
  ])
  const killed = overdue().then(() => child.kill('SIGKILL'))
  await Promise.race([ended, killed])
  const [code, signal] = await exited
  sending.abort() // the child has ended, perhaps before all was sent

  // 3. Say how the child ended. If it failed, we fail as well.
  const reason = signal ? `was killed by ${signal}` : `exited with code ${code}`
  line(`Child process ${reason}`)
  if (code !== 0 && !stop.aborted) process.exitCode = 1
}

// 4. Starts the program that was named, or else our own child.
async function start() {
  const own = [process.execPath,
    fileURLToPath(new URL('child.js', import.meta.url))]
  const [command, ...argv] = program.length > 0 ? program : own
  try {
    const child = spawn(command, argv, { stdio: ['pipe', 'pipe', 'pipe'] })
    process.on('exit', () => child.kill()) // if we fail, it ends as well
    await once(child, 'spawn')
    return child
  } catch ({ message }) {
    throw Error(`start ${command}: ${message}`)
  }
}

// 5. Sends the message at each tick, a line each time.
async function send(stdin, signal) {
  // write() with a promise in place of a callback.
  const write = promisify(stdin.write).bind(stdin)
  stdin.on('error', () => {}) // without it Node ends; `write` throws it, too
  for await (const _ of ticks(timing, signal)) {
    // Back-pressure: this waits while the child does not read. An error
    // (EPIPE) means that the child reads no more, as `head` when it has
    // enough. Its exit code says whether something is wrong.
    try {
      await write(`${message}\n`)
    } catch {
      return
    }
  }
  // Now the child reads the end of its input. Without that most programs would
  // wait for more, and we for them.
  stdin.end()
}

// 6. Receives lines from one of the child's outputs, and prints them.
async function receive(output, what) {
  for await (const text of lines(output)) line(`${what}: ${shown(text)}`)
}
