// HTTP client: asks for a path every three seconds and prints the answer.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node http-echo/node/client.js
//     node http-echo/node/client.js 'http://127.0.0.1:8888/a?b=c'

import { args } from '../../common/node/args.js'
import { Decoder, error, line } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'
import { Agent } from './agent.js'
import { tls, trust } from './tls.js'
import { defaultUrl, httpUrl } from './url.js'

const { url: given, message, ...rest } = args(
  'Asks an HTTP server for a path and prints the answer.', {
    url: {
      positional: true,
      help: 'What to ask for, by default http://127.0.0.1:8888/hello',
      parse: text => text && httpUrl(text),
    },
    ...tls,
    message: {
      value: 'TEXT',
      help: 'Ask for /TEXT instead of the URL\'s own path',
    },
    ...pace,
  })
const url = given ?? defaultUrl(rest)
if (rest.tls) url.protocol = 'https:'
const target = message === undefined
  ? url.pathname + url.search : `/${encodeURIComponent(message)}`

// 1. Connect, when the first request is made. The agent keeps the connection
//    for the others, and opens another one when the server has closed it
//    meanwhile.
const agent = new Agent(url, url.protocol === 'https:' && trust(rest.certs))

// 2. Ask, now and at every tick, until that was all or Ctrl-C.
try {
  for await (const _ of ticks(rest, stop)) {
    const response = await agent.get(target)
    line(`statusCode: ${response.statusCode}`)
    await hear(response)
  }
} catch ({ code, message }) {
  error(`Error: ${code ? 'receive: ' : ''}${message}`)
  process.exitCode = 1
}

// 4. Say goodbye.
agent.close()

// 3. Prints the body as it arrives. It may come in any number of pieces, and
//    may be longer than any memory: keep none of them.
async function hear(response) {
  const decoder = new Decoder()
  let missing = Buffer.from(target)
  const { statusCode, statusMessage } = response
  const wrong = statusCode === 200 ? 'the answer is not what was asked for'
    : `the server answered ${statusCode} ${statusMessage}`
  for await (const bytes of response) {
    line(decoder.decode(bytes))
    if (!missing.subarray(0, bytes.length).equals(bytes)) {
      throw Error(wrong)
    }
    missing = missing.subarray(bytes.length)
  }
  if (statusCode !== 200) throw Error(wrong)
  if (missing.length) {
    throw Error(`${missing.length} bytes of the answer are missing`)
  }
}
