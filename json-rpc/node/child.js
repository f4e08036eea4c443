// The child: answers requests from its stdin on its stdout.
//
// Rust twin: ../src/bin/child.rs. Other half: parent.js, which starts this.
// What can be called: methods.js.
//
//     node json-rpc/node/parent.js
//     node json-rpc/node/child.js           # alone: type lines, then Ctrl-D
//
// Try this: {"id":1,"jsonrpc":"2.0","method":"add","params":{"a":2,"b":3}}

import { args } from '../../common/node/args.js'
import { fail } from '../../common/node/log.js'
// From here on Ctrl-C does not end us at once: the parent closes our stdin.
import '../../common/node/shutdown.js'
import { encode, framingFlag, messages } from './framing.js'
import * as methods from './methods.js'

// stdout belongs to the protocol: one stray line, and the parent no longer
// understands us. With this, what any module logs goes to stderr.
console.log = console.error

const { framing } = args('Answers the requests of its parent.', {
  framing: framingFlag,
})

// The requests that are being answered, by their ids: an AbortController for
// each, which cancels it.
const running = new Map()

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Receive messages until the parent closes our stdin. One read from a
  //    pipe may return half a message, or three. messages() yields whole ones.
  for await (const text of messages(framing, process.stdin)) receive(text)

  // 2. The end. It also comes when the parent was killed. What still runs is
  //    cancelled, and answered: the parent may still read.
  for (const controller of running.values()) controller.abort()
}

// 3. Receives one message. A request has an id, and gets an answer; a
//    notification has none, and gets none, even if it makes no sense.
function receive(text) {
  let message
  try {
    message = JSON.parse(text)
  } catch {
    return send(errorAnswer(null, methods.PARSE_ERROR))
  }
  const { id, method, params } = message ?? {}
  if (typeof method !== 'string') {
    send(errorAnswer(id ?? null, methods.INVALID_REQUEST))
  } else if (id !== undefined) {
    const controller = new AbortController()
    running.set(id, controller)
    // Nobody awaits this, so that a slow request does not delay the others.
    answer(id, message, controller.signal)
  } else if (method === '$/cancelRequest') {
    cancel(params?.id) // language servers
  } else if (method === 'notifications/cancelled') {
    cancel(params?.requestId) // MCP
  }
}

// Cancels a request. If it has its answer, there is nothing to cancel.
function cancel(id) {
  running.get(id)?.abort()
}

// 4. Answers one request: with the result, or with an error that has a code.
async function answer(id, request, signal) {
  let response
  try {
    // Cancelling aborts the signal, for which call() listens. (In Rust the
    // future that call() returned is dropped.)
    const result = await methods.call(request, signal)
    response = { id, jsonrpc: '2.0', result }
  } catch (failure) {
    const why = signal.aborted ? methods.REQUEST_CANCELLED : failure
    response = errorAnswer(id, why)
  }
  running.delete(id) // in Rust, receive() removes it
  send(response)
}

// The answer that says what went wrong.
function errorAnswer(id, { code, message }) {
  return { error: { code, message }, id, jsonrpc: '2.0' }
}

// 5. Sends one message. Framing marks its end, as a pipe carries bytes, and not
//    messages: by a line break, or by a header with its length.
function send(message) {
  const framed = encode(framing, JSON.stringify(message))
  // While the parent does not read, Node queues this; Rust waits.
  process.stdout.write(framed)
}
