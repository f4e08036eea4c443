// The parent: starts a child, and calls its methods over stdin and stdout.
//
// Rust twin: ../src/bin/parent.rs. Other half: child.js.
//
//     node json-rpc/node/parent.js
//     cargo build -p json-rpc --bins
//     node json-rpc/node/parent.js -- target/debug/child
//
// Try this: `sh -c 'echo hello; exec node json-rpc/node/child.js'` after `--`.

import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { args } from '../../common/node/args.js'
import { error, fail, line, shown } from '../../common/node/log.js'
import { stop, stopped } from '../../common/node/shutdown.js'
import { framingFlag, messages } from './framing.js'
import { start, wait } from './process.js'

const { framing, program } = args('Starts a child, and calls its methods.', {
  framing: framingFlag,
  program: {
    rest: true,
    help: 'What to start instead of our own child, with its arguments',
  },
})

// How long an answer may take, in milliseconds.
const TIMEOUT = 10_000

// The calls that wait for their answers, by the ids of their requests: what
// resolves the promise of each.
const waiting = new Map()
let lastId = 0

parent().catch(fail) // prints the error, and ends with status 1

async function parent() {
  // 1. Start the child. Its stdin and stdout are pipes for messages; its
  //    stderr is ours, so that we see what it logs there.
  const child = await start(program, framing)

  // 2. Call and receive at the same time. After the last call, or Ctrl-C, close
  //    the child's stdin. The child reads the end, and ends as well.
  const calls = Promise.race([callAll(child.stdin), stopped])
    .then(() => child.stdin.end())
  const receiving = receive(child.stdout)
  const ended = wait(child, stop) // kills it a second after Ctrl-C
  await Promise.all([calls, receiving, ended])
}

// 3. Makes four calls: two at the same time, one that fails, and one that takes
//    too long.
async function callAll(stdin) {
  // Without a listener an error here would end Node. write() in send() fails,
  // too, and says why.
  stdin.on('error', () => {})
  // Two calls at the same time. The quick one is answered first.
  const [slow, quick] = await Promise.all([
    call(stdin, 'wait', { ms: 500 }, TIMEOUT),
    call(stdin, 'add', { a: 2, b: 3 }, TIMEOUT),
  ])
  line(`wait: ${JSON.stringify(slow.result)}`)
  line(`add: ${JSON.stringify(quick.result)}`)

  // There is no such method. An error is an answer, too.
  const answer = await call(stdin, 'divide', {}, TIMEOUT)
  line(`divide: ${JSON.stringify(answer.error)}`)

  // No answer within the limit: the call fails, and the program goes on.
  try {
    await call(stdin, 'wait', { ms: 60_000 }, 100)
  } catch ({ message }) {
    line(`wait: ${message}`)
  }
}

// 4. Calls a method: sends a request with a new id, and waits for the answer
//    that has the same one.
async function call(stdin, method, params, limit) {
  lastId += 1
  const id = lastId
  const answered = new Promise(resolve => { waiting.set(id, resolve) })
  await send(stdin, { id, jsonrpc: '2.0', method, params })
  const tooLate = sleep(limit, 'too late', { ref: false })
  const answer = await Promise.race([answered, tooLate])
  if (answer === 'too late') {
    await cancel(stdin, id)
    throw Error(`no answer within ${limit}ms, cancelled`)
  }
  if (answer === undefined) throw Error('the child has closed its stdout')
  return answer
}

// 5. Cancels a request, by a notification: a message without an id, which gets
//    no answer. The request still gets one: an error, for which no call waits
//    any more.
async function cancel(stdin, id) {
  waiting.delete(id)
  const params = { id }
  await send(stdin, { jsonrpc: '2.0', method: '$/cancelRequest', params })
}

// 6. Sends one message. Framing: its end must be marked, as a pipe carries
//    bytes, and not messages.
async function send(stdin, message) {
  const text = JSON.stringify(message)
  line(`Sent to child: ${text}`)
  let framed
  if (framing === 'lines') {
    // JSON has no line break within a message: it writes \n in a text.
    framed = `${text}\n`
  } else {
    const length = Buffer.byteLength(text) // in bytes: 中 has three
    framed = `Content-Length: ${length}\r\n\r\n${text}`
  }
  // Back-pressure: this waits while the child does not read.
  const write = promisify(stdin.write).bind(stdin) // returns a promise
  await write(framed).catch(({ message }) => {
    throw Error(`write to the child: ${message}`)
  })
}

// 7. Receives messages, and hands each answer to the call that waits for it.
async function receive(stdout) {
  // One read from a pipe may return half a message, or three. messages()
  // yields whole ones.
  for await (const text of messages(framing, stdout)) {
    line(`Received from child: ${shown(text)}`)
    let message
    try {
      message = JSON.parse(text)
    } catch {
      // The most common mistake: the child prints a log to stdout. The next
      // line may be a message again. (With headers, messages() throws.)
      error('this is no JSON: does the child log to its stdout?')
      continue
    }
    const resolve = waiting.get(message?.id)
    waiting.delete(message?.id)
    resolve?.(message)
  }
  // call() takes undefined as "stdout closed", and throws: the calls that still
  // wait end with an error.
  for (const resolve of waiting.values()) resolve(undefined)
}
