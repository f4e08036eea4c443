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
import { encode, framingFlag, messages } from './framing.js'
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

// The requests that wait for their answers, by their ids: what resolves the
// promise of each.
const waiting = new Map()
let lastId = 0

parent().catch(fail) // prints the error, and ends with status 1

async function parent() {
  // 1. Start the child. Its stdin and stdout are pipes for messages; its
  //    stderr is ours, so that we see what it logs there.
  const child = await start(program, framing)

  // 2. Call and receive at the same time. After the last call, or Ctrl-C, close
  //    the child's stdin. The child reads the end, and ends as well.
  const calling = Promise.race([callAll(child.stdin), stopped])
    .then(() => child.stdin.end())
  const receiving = receive(child.stdout)
  const ended = wait(child, stop) // kills it a second after Ctrl-C
  await Promise.all([calling, receiving, ended])
}

// 3. Makes four calls: two at the same time, one that fails, and one that takes
//    too long.
async function callAll(stdin) {
  // Without a listener an error here would end Node. write() in send() fails,
  // too, and says why.
  stdin.on('error', () => {})
  // Two at the same time: send both requests, then wait for both answers. The
  // quick one is answered first.
  let slow = await sendRequest(stdin, 'wait', { ms: 500 })
  let quick = await sendRequest(stdin, 'add', { a: 2, b: 3 })
  slow = await waitForAnswer(stdin, slow, TIMEOUT)
  quick = await waitForAnswer(stdin, quick, TIMEOUT)
  line(`wait: ${JSON.stringify(slow.result)}`)
  line(`add: ${JSON.stringify(quick.result)}`)

  // There is no such method. An error is an answer, too.
  const unknown = await sendRequest(stdin, 'divide', {})
  const answer = await waitForAnswer(stdin, unknown, TIMEOUT)
  line(`divide: ${JSON.stringify(answer.error)}`)

  // No answer within the limit: the call fails, and the program goes on.
  const late = await sendRequest(stdin, 'wait', { ms: 60_000 })
  try {
    await waitForAnswer(stdin, late, 100)
  } catch ({ message }) {
    if (!stop.aborted) line(`wait: ${message}`)
  }
}

// 4. Sends a request with a new id. The answer will have the same one.
async function sendRequest(stdin, method, params) {
  lastId += 1
  const id = lastId
  const answered = new Promise(resolve => { waiting.set(id, resolve) })
  await send(stdin, { id, jsonrpc: '2.0', method, params })
  return { id, answered }
}

// 5. Waits for the answer. If it takes too long, this cancels the request by a
//    notification: a message without an id, which gets no answer. The request
//    still gets one: an error, for which nobody waits any more.
async function waitForAnswer(stdin, { id, answered }, limit) {
  const tooLate = sleep(limit, 'too late', { ref: false })
  const answer = await Promise.race([answered, tooLate])
  if (answer === 'too late') {
    waiting.delete(id)
    const params = { id }
    await send(stdin, { jsonrpc: '2.0', method: '$/cancelRequest', params })
    throw Error(`no answer within ${limit}ms, cancelled`)
  }
  if (answer === undefined) throw Error('the child has closed its stdout')
  stop.throwIfAborted() // after Ctrl-C: ends callAll(), which Rust drops
  return answer
}

// 6. Sends one message. Framing marks its end, as a pipe carries bytes, and not
//    messages: by a line break, or by a header with its length.
async function send(stdin, message) {
  const text = JSON.stringify(message)
  line(`Sent to child: ${text}`)
  const write = promisify(stdin.write).bind(stdin) // returns a promise
  try {
    // Back-pressure: this waits while the child does not read.
    await write(encode(framing, text))
  } catch ({ message: why }) {
    throw Error(`write to the child: ${why}`)
  }
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
    // A request or a notification of the child is ignored.
    if (message?.method !== undefined) continue
    const resolve = waiting.get(message?.id)
    waiting.delete(message?.id)
    resolve?.(message)
  }
  // waitForAnswer() takes undefined as "stdout closed", and throws: the calls
  // that still wait end with an error.
  for (const resolve of waiting.values()) resolve(undefined)
}
