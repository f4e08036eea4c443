// Event server: sends what happens to every client, unasked.
//
// Rust twin: ../src/bin/server.rs. Other halves: client.js, a browser, curl.
//
//     node server-sent-events/node/server.js
//     curl -N http://127.0.0.1:8888/events      # in a second terminal
//
// Try this: open http://127.0.0.1:8888 in a browser.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import { address, args, shownAddress } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'
import { History } from './history.js'

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
const streams = new Set()

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
  server.on('request', answer)
  await once(stop, 'abort') // by Ctrl-C and SIGTERM

  // 3. Stop: accept nobody else, and end each stream as it should end.
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

// 5. Answers one request: with the stream, with the page, or with 404.
function answer(request, response) {
  switch (`${request.method} ${request.url}`) {
    case 'GET /events': {
      const lastId = Number(request.headers['last-event-id']) || 0
      response.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        connection: 'close',
        // A proxy may collect an answer before it passes it on. This tells
        // nginx not to.
        'x-accel-buffering': 'no',
      })
      stream(response, lastId)
      break
    }
    case 'GET /': {
      const page = new URL('../page/index.html', import.meta.url)
      response.setHeader('content-type', 'text/html; charset=utf-8')
      response.end(readFileSync(page))
      break
    }
    default:
      response.statusCode = 404
      response.end()
  }
}

// 6. Sends one client its stream, until one of the two ends it.
async function stream(response, lastId) {
  line('client connected')
  streams.add(response)
  response.on('close', () => {
    streams.delete(response)
    line('client disconnected')
  })
  response.on('error', () => {}) // write() rejects with it, too
  try {
    await sendEvents(response, lastId)
  } catch {
    // After Ctrl-C, step 3 has ended the response.
    if (!stop.aborted) response.destroy()
  }
}

// Sends events until an error ends it.
async function sendEvents(response, lastId) {
  await write(response, `retry: ${RETRY}\n\n`)
  for (;;) {
    // 7. Take the next event from the history, where a client that was away
    //    finds what it missed. Nothing is queued for one client: a slow one is
    //    only further behind.
    const heartbeat = AbortSignal.timeout(HEARTBEAT)
    const next = await history.next(lastId, heartbeat).catch(() => null)

    // 8. There is none: send a comment as heartbeat. It shows the client and
    //    the proxies between that the connection lives; and if the client does
    //    not, we get an error.
    if (next === null) {
      await write(response, ': heartbeat\n\n')
      continue
    }

    // 9. Send it. If others between have been forgotten, say so first. A line
    //    break would end the field: each line is a `data:` of its own.
    const { id, text } = next
    if (lastId > 0 && id > lastId + 1) {
      const missed = 'event: missed\ndata: some events are forgotten\n\n'
      await write(response, missed)
    }
    line(`send: ${shown(text)}`)
    const data = text.replace(/\r\n|\r|\n/g, '\ndata: ')
    await write(response, `id: ${id}\ndata: ${data}\n\n`)
    lastId = id
  }
}

// 10. Writes a piece. Back-pressure: this waits while the client does not
//     read. One that reads nothing at all is dropped: it can connect again
//     and say which event was its last one.
async function write(response, text) {
  const timer = setTimeout(() => {
    line('client dropped: it does not read')
    response.destroy()
  }, WRITE_TIMEOUT)
  try {
    await promisify(response.write).call(response, text)
  } finally {
    clearTimeout(timer)
  }
}
