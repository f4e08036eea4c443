// Event client: prints what the server sends, and connects again when the
// connection is lost.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node server-sent-events/node/server.js         # in a first terminal
//     node server-sent-events/node/client.js
//
// Try this: stop the server, and start it again.

import { address, args, wholeNumber } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { missing } from '../../common/node/packages.js'
import { stopped } from '../../common/node/shutdown.js'

const { EventSource } = await import('eventsource').catch(missing)

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

let wasConnected = false

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Receive events until Ctrl-C, or until `--count` have come.
  await receive()
  line('disconnected.')
}

// 2. Receives events, over one connection after the other. That a server is
//    away for a while is normal; one that was never there is a mistake, and so
//    is an answer that is no stream of events.
async function receive() {
  // It calls connect() for each connection.
  const source = new EventSource(`http://${server}/events`, { fetch: connect })
  source.onopen = () => {
    line('connected.')
    wasConnected = true
  }
  try {
    await Promise.race([print(source), reconnect(source), stopped])
  } finally {
    source.close()
  }
}

// 3. Prints events: `count` of them at most. EventSource reads the stream.
function print(source) {
  let left = count
  return new Promise(resolve => {
    source.addEventListener('missed', ({ data }) => {
      line(`missed: ${shown(data)}`)
    })
    source.addEventListener('message', ({ data }) => {
      if (left === 0) return
      line(`receive: ${shown(data)}`)
      left -= 1
      if (left === 0) resolve()
    })
  })
}

// 4. Reconnects. EventSource does it: it waits as long as `retry:` said, and
//    asks for what has come since; again and again, until a server is there.
//    This promise never resolves. It rejects when reconnecting cannot help.
function reconnect(source) {
  return new Promise((_, reject) => {
    source.onerror = ({ message }) => {
      // EventSource gives up when the answer is no stream of events.
      const hasGivenUp = source.readyState === EventSource.CLOSED
      if (!wasConnected || hasGivenUp) return reject(Error(message))
      line('connection lost, connecting again')
    }
  })
}

// 5. Connects: asks for the stream, and says which event was the last one.
//    That is in `init`. EventSource does not show us the heartbeats, so we
//    look here at what comes.
async function connect(url, init) {
  const silence = new AbortController()
  const timer = setTimeout(() => {
    silence.abort(Error('the server is silent'))
  }, SILENCE_TIMEOUT)
  timer.unref() // it keeps no program running
  const signal = AbortSignal.any([init.signal, silence.signal])
  const response = await fetch(url, { ...init, signal }).catch(error => {
    const { code, message } = error.cause ?? error
    throw Error(`connect to ${server}: ${message || code}; ${ADVICE}`)
  })
  const watch = new TransformStream({
    transform(bytes, body) {
      timer.refresh()
      body.enqueue(bytes)
    },
  })
  // The same response, with a body that restarts the timer.
  return new Response(response.body?.pipeThrough(watch), response)
}
