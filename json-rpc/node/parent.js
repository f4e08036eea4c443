// The parent: starts a child, and calls its methods over stdin and stdout.
//
// Rust twin: ../src/bin/parent.rs. Other half: child.js.
// The framing: framing.js.
//
//     node json-rpc/node/parent.js
//     node json-rpc/node/parent.js --framing headers
//
// Try this: `parent.js -- sh -c 'echo hello; exec node json-rpc/node/child.js'`

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { args } from '../../common/node/args.js'
import { error, fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'
import { frame, framingFlag, messages } from './framing.js'

const { framing, program, ...timing } = args(
  'Starts a child, and calls its methods.', {
    framing: framingFlag,
    ...pace,
    count: { // one of the flags in `pace`; here it has another default
      ...pace.count,
      default: '1',
      help: 'How many times to call `add`',
    },
    program: {
      rest: true,
      help: 'What to start instead of our own child, with its arguments',
    },
  })

// How long an answer may take; milliseconds.
const ANSWER_TIMEOUT = 10_000

// How long a child may take to end after Ctrl-C, before it is killed.
const END_TIMEOUT = 1000

// The calls that wait for their answers, by the ids of their requests.
const waiting = new Map()
let lastId = 0

parent().catch(fail) // prints the error, and ends with status 1

async function parent() {
  // 1. Start the child. Its stdin and stdout are for messages; its stderr is
  //    ours, so that we see what it logs there.
  const child = await start()
  const exited = once(child, 'exit')

  // 2. Call and receive at the same time. After the last call, or Ctrl-C, the
  //    child reads the end of its stdin. It ends, and until then we receive
  //    what is still on its way.
  const calls = Promise.race([callAll(child.stdin), once(stop, 'abort')])
    .then(() => child.stdin.end())
  const limit = async () => {
    if (!stop.aborted) await once(stop, 'abort')
    await sleep(END_TIMEOUT, undefined, { ref: false })
    child.kill('SIGKILL')
  }
  const receiving = receive(child.stdout)
  await Promise.race([Promise.all([calls, receiving]), limit()])

  // 3. Wait for the child's end.
  const [code, signal] = await exited
  if (code !== 0 && !stop.aborted) {
    throw Error(`the child has failed: ${signal ?? `exit status: ${code}`}`)
  }
}

// Starts the program that was named, or else our own child.
async function start() {
  const script = fileURLToPath(new URL('child.js', import.meta.url))
  const own = [process.execPath, script, `--framing=${framing}`]
  const [command, ...argv] = program.length > 0 ? program : own
  try {
    const child = spawn(command, argv, { stdio: ['pipe', 'pipe', 'inherit'] })
    process.on('exit', () => child.kill()) // should we fail: not left behind
    await once(child, 'spawn')
    return child
  } catch ({ message }) {
    throw Error(`start ${command}: ${message}`)
  }
}

// 4. Calls what there is to show.
async function callAll(stdin) {
  stdin.on('error', () => {}) // send() rejects with it, too
  for await (const _ of ticks(timing, stop)) {
    // Two requests at the same time. The quick one is answered first.
    const slow = call(stdin, 'wait', { ms: 500 }, ANSWER_TIMEOUT)
    const quick = call(stdin, 'add', { a: 2, b: 3 }, ANSWER_TIMEOUT)
    const answers = await Promise.all([slow, quick])
    line(`wait: ${answers[0]}\nadd: ${answers[1]}`)
  }
  // An error is an answer, too. It has a code, for programs.
  const numbers = { a: 1, b: 0 }
  line(`divide: ${await call(stdin, 'divide', numbers, ANSWER_TIMEOUT)}`)
  // And no answer at all must not stop us.
  line(`wait: ${await call(stdin, 'wait', { ms: 60_000 }, 100)}`)
}

// 5. Calls a method: sends a request with a new id, and waits for the answer
//    that has the same one. Returns what is to be shown of it.
async function call(stdin, method, params, limit) {
  lastId += 1
  const id = lastId
  const answered = new Promise(resolve => { waiting.set(id, resolve) })
  await send(stdin, { id, jsonrpc: '2.0', method, params })
  const tooLate = sleep(limit, null, { ref: false })
  const answer = await Promise.race([answered, tooLate])
  if (answer === null) {
    // 6. Cancel it: a notification, which has no id and gets no answer. The
    //    request itself is still answered: with an error.
    waiting.delete(id)
    const cancel = { jsonrpc: '2.0', method: '$/cancelRequest', params: { id } }
    await send(stdin, cancel)
    return `no answer within ${limit}ms, cancelled`
  }
  if (answer === undefined) throw Error('the child has closed its stdout')
  const { error, result } = answer
  if (error) return `error ${error.code}, ${JSON.stringify(error.message)}`
  return JSON.stringify(result)
}

// 7. Sends one message, whole. Back-pressure: this waits while the child does
//    not read.
async function send(stdin, message) {
  line(`Sent to child: ${shown(JSON.stringify(message))}`)
  const bytes = frame(framing, message)
  await promisify(stdin.write).call(stdin, bytes).catch(({ message }) => {
    throw Error(`write to the child: ${message}`)
  })
}

// 8. Receives messages, and hands each answer to the call that waits for it.
async function receive(stdout) {
  try {
    for await (const text of messages(framing, stdout)) {
      line(`Received from child: ${shown(text)}`)
      receiveOne(text)
    }
  } catch ({ message }) {
    throw Error('the child\'s stdout (does it print something else there?): ' +
      message)
  }
  for (const resolve of waiting.values()) resolve(undefined)
}

function receiveOne(text) {
  let message
  try {
    message = JSON.parse(text)
  } catch {
    // The commonest fault: something in the child prints to stdout. With
    // lines, the next message begins after it.
    return error('this is no JSON: does the child log to its stdout?')
  }
  // Others are answers to a call that was cancelled, or notifications.
  waiting.get(message?.id)?.(message)
  waiting.delete(message?.id)
}
