// The child: answers requests from its stdin on its stdout.
//
// Rust twin: ../src/bin/child.rs. Other half: parent.js, which starts this.
// The framing: framing.js; what it can do: methods.js.
//
//     node json-rpc/node/parent.js
//     node json-rpc/node/child.js           # alone: type lines, then Ctrl-D
//
// Try this: {"id":1,"jsonrpc":"2.0","method":"add","params":{"a":2,"b":3}}

import { args } from '../../common/node/args.js'
import { fail } from '../../common/node/log.js'
import '../../common/node/shutdown.js' // Ctrl-C: the parent closes our stdin
import { frame, framingFlag, messages } from './framing.js'
import * as methods from './methods.js'

// stdout belongs to the protocol: one stray line, and the parent no longer
// understands us. With this, what any module logs goes to stderr.
console.log = console.error

const { framing } = args('Answers the requests of its parent.', {
  framing: framingFlag,
})

// What cancels a request that is still running, by its id.
const running = new Map()

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Receive messages until the parent closes its end. Nobody waits for an
  //    answer, so that a slow one holds up no other.
  for await (const text of messages(framing, process.stdin)) receive(text)

  // 2. The end. It also comes when the parent was killed. What still runs is
  //    cancelled, and answered: perhaps somebody still reads.
  for (const request of running.values()) request.abort()
}

// 3. Takes in one message. A request has an id, and is answered; a
//    notification has none, and is not, whatever happens.
function receive(text) {
  let message
  try {
    message = JSON.parse(text)
  } catch {
    return sendError(null, methods.PARSE_ERROR)
  }
  const { id, method, params } = message ?? {}
  if (typeof method !== 'string') {
    sendError(id ?? null, methods.INVALID_REQUEST)
  } else if (id !== undefined) {
    answer(id, method, params)
  } else if (method === '$/cancelRequest') {
    cancel(params?.id) // the name in language servers
  } else if (method === 'notifications/cancelled') {
    cancel(params?.requestId) // and in MCP
  }
}

// 4. Answers one request: with the result, or with an error that has a code.
async function answer(id, method, params) {
  const cancelled = new AbortController()
  running.set(JSON.stringify(id), cancelled)
  try {
    const result = await methods.call(method, params, cancelled.signal)
    send({ id, jsonrpc: '2.0', result })
  } catch (error) {
    const isCancelled = cancelled.signal.aborted
    sendError(id, isCancelled ? methods.REQUEST_CANCELLED : error)
  } finally {
    running.delete(JSON.stringify(id))
  }
}

function sendError(id, { code, message }) {
  send({ error: { code, message }, id, jsonrpc: '2.0' })
}

// 5. Cancels a request. It may have been answered meanwhile: then there is
//    nothing to cancel.
function cancel(id) {
  running.get(JSON.stringify(id))?.abort()
}

// 6. Sends one message, whole: nothing may come between its bytes. While the
//    parent does not read, Node queues them; Rust waits.
function send(message) {
  process.stdout.write(frame(framing, message))
}
