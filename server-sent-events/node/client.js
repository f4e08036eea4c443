// Event client: prints what the server sends, and connects again when the
// connection is lost.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node server-sent-events/node/server.js         # in a first terminal
//     node server-sent-events/node/client.js
//
// Try this: stop the server, and start it again.
//
// An EventSource reconnects, too (first/client.js), but shows no heartbeats: a
// server that hangs looks to it like one that has nothing to say.

import { once } from 'node:events'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { address, args, wholeNumber } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'
import { Parser } from './parser.js'

// How long a server may send nothing, not even a heartbeat; milliseconds.
const SILENCE_TIMEOUT = 15_000

const { address: server, count } = args('Prints the events of a server.', {
  address: {
    positional: true,
    default: '127.0.0.1:8888',
    help: 'Where the server listens',
    parse: text => address(text) && text,
  },
  count: {
    value: 'N',
    help: 'Stop after this many events; without it, go on until Ctrl-C',
    parse: text => text === undefined ? Infinity : wholeNumber(text, 1),
  },
})

const ADVICE =
  'start the server first: node server-sent-events/node/server.js'

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Receive events until Ctrl-C, or until `--count` have come.
  await receive().catch(error => {
    if (!stop.aborted) throw error // by Ctrl-C and SIGTERM
  })
  line('disconnected.')
}

// 2. Receives events, over one connection after the other. That a server is
//    away for a while is normal; one that was never there is a mistake, and so
//    is an answer that is no stream of events.
async function receive() {
  const parser = new Parser() // it also keeps the last event's id
  let left = count
  let response = await connect(parser)
  for (;;) {
    ensureStream(response)
    line('connected.')
    left = await print(response, parser, left)
    if (left === 0) return
    response = await reconnect(parser)
  }
}

// 3. Prints events: those of one stream, but `left` at most. Returns how many
//    are left when the stream ends.
async function print(response, parser, left) {
  parser.begin() // forget what a broken stream has left unfinished
  try {
    for await (const bytes of response) {
      for (const { kind, data } of parser.read(bytes)) {
        if (kind === 'missed') {
          line(`missed: ${shown(data)}`)
        } else if (kind === 'message') {
          line(`receive: ${shown(data)}`)
          left -= 1
        }
        if (left === 0) return 0 // leaving the loop closes the connection
      }
    }
  } catch {
    // The connection broke, nothing came for too long, or an event is too long.
  }
  return left
}

// 4. Reconnects. Waits as long as `retry:` said, and asks for what has come
//    since; again and again, until a server is there.
async function reconnect(parser) {
  for (;;) {
    stop.throwIfAborted() // after Ctrl-C, no more
    line('connection lost, connecting again')
    await sleep(parser.retry, undefined, { signal: stop })
    try {
      return await connect(parser)
    } catch {
      // There is no server yet.
    }
  }
}

// 5. Connects: asks for the stream, and says which event was the last one.
async function connect(parser) {
  const headers = {}
  if (parser.lastId !== '') headers['last-event-id'] = parser.lastId
  const request = get(`http://${server}/events`, { headers, signal: stop })
  // It ends when nothing came for so long: no answer, or in step 3 no event.
  request.setTimeout(SILENCE_TIMEOUT, () => {
    request.destroy(Error('the server is silent'))
  })
  const answer = once(request, 'response').catch(({ code, message }) => {
    // An error of the system has a code; a server that is silent has none.
    const advice = code === undefined ? '' : `; ${ADVICE}`
    throw Error(`connect to ${server}: ${message || code}${advice}`)
  })
  const [response] = await answer
  return response
}

// Fails unless the answer is a stream of events: another server may be there,
// or a proxy may have answered with an error page.
function ensureStream({ statusCode: status, headers }) {
  const isStream = headers['content-type']?.startsWith('text/event-stream')
  if (status !== 200 || !isStream) {
    throw Error(`no stream of events, but ${status}`)
  }
}
