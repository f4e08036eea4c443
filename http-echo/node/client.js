// HTTP client: asks for a URL and prints the answer.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node http-echo/node/server.js             # in a first terminal
//     node http-echo/node/client.js
//
// Try this: ask for http://127.0.0.1:8888/a/../b?c=d

import { once } from 'node:events'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { args, wholeNumber } from '../../common/node/args.js'
import { Decoder, fail, line } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'

// How long one request may take, with its whole answer; milliseconds.
const TIMEOUT = 10_000

const { url, count, every } = args(
  'Asks an HTTP server for a URL and prints the answer.', {
    url: {
      positional: true,
      default: 'http://127.0.0.1:8888/hello',
      help: 'What to ask for',
      parse: httpUrl,
    },
    count: {
      value: 'N',
      default: '1',
      help: 'How many times to ask',
      parse: text => wholeNumber(text, 0),
    },
    every: {
      value: 'MS',
      default: '3000',
      help: 'Milliseconds between two requests',
      parse: text => wholeNumber(text, 0),
    },
  })

const ADVICE = 'start the server first: node http-echo/node/server.js'

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Ask, until that was all or Ctrl-C, which cancels what is under way: a
  //    client has nothing that it would have to finish.
  await askAll().catch(error => {
    if (stop.aborted) return // by Ctrl-C and SIGTERM
    const { code, message } = error
    const advice = code === 'ECONNREFUSED' ? `; ${ADVICE}` : ''
    throw Error(`ask for ${url}: ${message || code}${advice}`)
  })
}

// 2. Asks as often as `--count` says: once, unless given.
async function askAll() {
  for (let number = 0; number < count; number += 1) {
    if (number > 0) await sleep(every, undefined, { signal: stop })
    await Promise.race([ask(), tooLate()])
  }
}

// Rejects when TIMEOUT is over. The program does not wait for it (`ref`).
async function tooLate() {
  await sleep(TIMEOUT, undefined, { ref: false })
  throw Error('no whole answer in 10 seconds')
}

// Asks once, on a connection of its own.
async function ask() {
  // 3. Connect. `agent: false` keeps no connection for the next request.
  const request = get(url, { agent: false, signal: stop })

  // 4. Ask. The server learns the path, and which of its names was used. An
  //    answer of 101 is an 'upgrade'; if nobody listened for it, Node would
  //    end the program in the middle of `await`, without a word.
  const [response] = await Promise.race([
    once(request, 'response'),
    once(request, 'upgrade'),
  ])
  const status = response.statusCode
  line(`statusCode: ${status}`)

  // 5. Print the body as it arrives. It comes in any number of pieces, and
  //    may be larger than the memory: keep none of them. This is a log, so
  //    decode() cuts each after 160 characters.
  const decoder = new Decoder()
  for await (const bytes of response) line(decoder.decode(bytes))
  if (status !== 200) throw Error(`the server answered ${status}`)
}

// Refuses a URL of which a part would be ignored.
function httpUrl(text) {
  const url = URL.canParse(text) ? new URL(text) : {}
  if (url.protocol !== 'http:' || url.username || url.password) {
    throw Error(`expected http://HOST:PORT/PATH, not '${text}'`)
  }
  return url
}
