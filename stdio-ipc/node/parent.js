// The parent: starts a child, writes to its stdin and reads what it prints.
//
// Rust twin: ../src/bin/parent.rs. Other half: child.js.
//
//     node stdio-ipc/node/parent.js
//     node stdio-ipc/node/parent.js -- cat

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { args } from '../../common/node/args.js'
import { Lines } from '../../common/node/lines.js'
import { error, holdBack, line } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { overdue, stop } from '../../common/node/shutdown.js'

const { message, stdin: path, program, ...rest } = args(
  'Starts a child with three pipes and talks to it.', {
    message: {
      value: 'TEXT',
      default: 'Hello from parent',
      help: 'What to send, a line each time',
    },
    stdin: { value: 'FILE', help: 'Send this file instead' },
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
let child
const file = path && await openFile().catch(({ message }) =>
  fail(`open ${path}: ${message}`))
const OWN = [process.execPath,
  fileURLToPath(new URL('child.js', import.meta.url))]

// 1. Start the child, with a pipe for each of its three streams.
const [command, ...argv] = program.length > 0 ? program : OWN
child = start()
const ended = new AbortController()
const over = AbortSignal.any([ended.signal, stop])
child.on('error', ({ message }) => fail(`start ${command}: ${message}`))
// All three at once. A pipe holds 64 KiB or so: a child that nobody reads
// waits when it is full, and then reads nothing more from us either.
child.on('spawn', () => {
  hear(child.stdout, 'Received from child')
  hear(child.stderr, 'Child stderr')
  say(child.stdin)
})

// A pipe or a terminal may have nothing to read for hours, and nothing ends
// a read of it: neither Ctrl-C nor the child's end.
async function openFile() {
  if (!(await stat(path)).isFile()) throw Error('it is not a file')
  return open(path)
}

function start() {
  try {
    return spawn(command, argv, { stdio: ['pipe', 'pipe', 'pipe'] })
  } catch ({ message }) { // some errors are thrown, others are events
    fail(`start ${command}: ${message}`)
  }
}

// 2. Write messages, or the file, and close the child's stdin.
async function say(stdin) {
  // A child may stop listening when it has heard enough, as `head` does.
  // Its exit code says whether that was a failure.
  stdin.on('error', () => {})
  if (file) {
    // Waits while the child does not read, and closes stdin at the end.
    return pipeline(file.createReadStream(), stdin, { signal: stop }).catch(
      ({ syscall, message }) => syscall === 'read' && fail(`send: ${message}`))
  }
  for await (const _ of ticks(rest, ended.signal)) {
    if (stdin.write(`${message}\n`)) continue
    // Or closed: then there is nothing to wait for.
    await once(stdin, 'drain', { signal: over }).catch(() => {})
  }
  // The child reads the end. Without this most programs would wait for
  // more, and we for them.
  stdin.end()
}

// 3. Print each line that comes from one of the child's outputs.
function hear(from, what) {
  const lines = new Lines()
  const show = text => line(`${what}: ${text}`)
  from.on('data', bytes => {
    // One 'data' is not one line: it may hold half of one, or three.
    lines.feed(bytes, show)
    holdBack(from) // perhaps nobody reads what we print
  })
  from.on('end', () => lines.finish(show))
}

// 4. The child has ended, and so have its outputs: 'exit' alone may come
//    before the last line.
child.on('close', (code, signal) => {
  ended.abort()
  line('Child process ' +
    (signal ? `was killed by ${signal}` : `exited with code ${code}`))
  process.exitCode = code === 0 || stop.aborted ? 0 : 1
})
// Ctrl-C closes the child's stdin, and it should end by itself.
stop.addEventListener('abort', () => child.stdin.end())
overdue(() => {
  child.kill('SIGKILL')
  child.stdout.destroy()
  child.stderr.destroy()
})

function fail(what) {
  error(`Error: ${what}`)
  child?.kill('SIGKILL')
  process.exit(1)
}
