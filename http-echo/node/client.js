// HTTP client: asks for a path every three seconds and prints the answer.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node http-echo/node/client.js
//     node http-echo/node/client.js 'http://127.0.0.1:8888/a?b=c'

import { Agent, get } from 'node:http'
import { args } from '../../common/node/args.js'
import { Decoder, error, line } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'
import { httpUrl } from './url.js'

const ADVICE = 'start the server first: node http-echo/node/server.js'
const { url, message, ...rest } = args(
  'Asks an HTTP server for a path and prints the answer.', {
    url: {
      positional: true,
      default: 'http://127.0.0.1:8888/hello',
      help: 'What to ask for',
      parse: httpUrl,
    },
    message: {
      value: 'TEXT',
      help: 'Ask for /TEXT instead of the URL\'s own path',
    },
    ...pace,
  })
const target = message === undefined
  ? url.pathname + url.search : `/${encodeURIComponent(message)}`

// 1. Connect, when the first request is made. The agent keeps the connection
//    for the others, and opens another one when the server has closed it
//    meanwhile.
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

// 2. Ask, now and at every tick, until that was all or Ctrl-C.
try {
  for await (const _ of ticks(rest, stop)) {
    const response = await ask()
    line(`statusCode: ${response.statusCode}`)
    await hear(response)
  }
} catch ({ code, message }) {
  error(`Error: ${code ? 'receive: ' : ''}${message}`)
  process.exitCode = 1
}

// 4. Without its agent the connection ends.
agent.destroy()

function ask() {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, path: target, noDelay: true }, resolve)
    let connected = false
    request.on('socket', socket => {
      connected = !socket.connecting
      socket.once('connect', () => { connected = true })
    })
    request.on('error', ({ code, message }) => {
      // The server may close the connection at the very moment it is used
      // again. To ask again does no harm: GET changes nothing.
      if (request.reusedSocket) return resolve(ask())
      const what = message || code // empty where several were tried
      reject(Error(connected ? `ask for ${target}: ${what}`
        : `connect to ${url.host}: ${what}; ${ADVICE}`))
    })
  })
}

// 3. Prints the body as it arrives. It may come in any number of pieces, and
//    may be longer than any memory: keep none of them.
async function hear(response) {
  const decoder = new Decoder()
  let missing = Buffer.from(target)
  for await (const bytes of response) {
    line(decoder.decode(bytes))
    if (!missing.subarray(0, bytes.length).equals(bytes)) {
      throw Error('the answer is not what was asked for')
    }
    missing = missing.subarray(bytes.length)
  }
  if (missing.length) {
    throw Error(`${missing.length} bytes of the answer are missing`)
  }
}
