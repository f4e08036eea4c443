// Event server: sends what happens to every client, unasked.
//
// Rust twin: ../src/bin/server.rs. Other halves: client.js, a browser, curl.
//
//     node server-sent-events/node/server.js
//     curl -N http://127.0.0.1:8888/events      # in a second terminal
//
// Try this: open http://127.0.0.1:8888 in a browser.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import { address, args, shownAddress } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop, stopped } from '../../common/node/shutdown.js'
import { History } from './history.js'
import * as page from './page.js'

// How long a client is to wait before it connects again; milliseconds.
const RETRY = 1000

// After how long without an event a comment is sent; milliseconds.
const HEARTBEAT = 5000

// How long a client may read nothing before it is dropped; milliseconds.
const WRITE_TIMEOUT = 10_000

const { address: { host, port }, message, ...timing } = args(
  'Sends events to every client.', {
    address: {
      positional: true,
      default: '127.0.0.1:8888',
      help: 'Where to listen; 0.0.0.0:8888 opens it to other computers',
      parse: address,
    },
    message: {
      value: 'TEXT',
      default: 'tick',
      help: 'What each event says, before its number',
    },
    ...pace, // --every and --count
  })

const history = new History() // the newest 100 events
const streams = new Set() // the responses of step 7, which step 3 ends

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Listen. From here on the kernel queues clients, so anybody who has
  //    read this line can connect.
  const server = createServer()
  server.listen({ host, port })
  await once(server, 'listening')
  line(`listening on ${shownAddress(server.address())}`)

  // 2. Publish events, whether or not a client is there, and accept clients
  //    until Ctrl-C. Node accepts them by itself, where Rust spawns a task.
  publish()
  serve(server)
  await stopped // by Ctrl-C and SIGTERM

  // 3. Stop: accept nobody else, and end each stream as it should.
  server.close()
  for (const response of streams) response.end()
}

// 4. Publishes an event at each tick.
async function publish() {
  let number = 0
  for await (const _ of ticks(timing, stop)) {
    number += 1
    history.publish(`${message} ${number}`)
  }
}

// 5. Serves each connection: Node reads its requests, and calls answer().
function serve(server) {
  server.on('request', answer)
}

// 6. Answers a request: with the stream, or with what page.js has for it.
function answer(request, response) {
  const asked = `${request.method} ${request.url}`
  if (asked !== 'GET /events') return page.answer(asked, response)
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    connection: 'close', // when the stream ends
    // A proxy may collect an answer before it passes it on. This tells nginx
    // not to.
    'x-accel-buffering': 'no',
  })
  stream(response, lastEventId(request))
}

// Which event the client had last: 0 if it is a new one.
function lastEventId(request) {
  return Number(request.headers['last-event-id']) || 0
}

// 7. Streams to one client, until one of the two ends it.
async function stream(response, lastId) {
  line('client connected')
  streams.add(response)
  response.on('close', () => { // the client has left, or step 3 has ended it
    streams.delete(response)
    line('client disconnected')
  })
  // For step 9: the client has accepted no bytes for this long.
  response.setTimeout(WRITE_TIMEOUT, () => {
    line('client dropped: it does not read')
    response.destroy() // closes its connection
  })
  response.on('error', () => {}) // without a listener, it would end Node
  await sendEvents(response, lastId).catch(() => {}) // 'close' says the same
}

// 8. Sends events to one client, until sending fails. Nothing is queued for it:
//    from the history, a slow client takes its next event later, and one that
//    was away finds what it missed.
async function sendEvents(response, lastId) {
  const send = promisify(response.write).bind(response) // returns a promise
  let text = `retry: ${RETRY}\n\n`
  for (;;) {
    // 9. Write. Back-pressure: this waits while the client does not read. One
    //    that reads nothing at all is dropped: it can connect again and say
    //    which event was its last one.
    await send(text)

    // 10. Take the next event. Heartbeat: if there is none for a while, send a
    //     comment. It shows the client, and the proxies between, that the
    //     connection lives.
    const event = await history.next(lastId, HEARTBEAT)
    if (!streams.has(response)) return // the client has left meanwhile
    if (event !== undefined) {
      line(`send: ${shown(event.text)}`)
      lastId = event.id
      text = encode(event)
    } else {
      text = ': heartbeat\n\n'
    }
  }
}

// 11. Encodes an event: a field in each line, and an empty line at its end.
function encode({ id, kind, text }) {
  // A line break would end the field: each line is a `data:` of its own.
  const data = text.replace(/\r\n|\r|\n/g, '\ndata: ')
  return `id: ${id}\nevent: ${kind}\ndata: ${data}\n\n`
}
