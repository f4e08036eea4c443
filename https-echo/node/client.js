// HTTPS client: asks for a URL over HTTP/2 and prints the answer.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node https-echo/node/server.js            # in a first terminal
//     node https-echo/node/client.js
//
// Try this: --certs with another folder, whose CA has not signed the server's
// certificate.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { args, wholeNumber } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'
import { FOLDER } from './certs.js'
import { httpsUrl } from './url.js'

// How long to connect may take, and each request with its whole answer;
// milliseconds.
const TIMEOUT = 10_000

const { url, certs, count, every } = args(
  'Asks an HTTPS server for a URL and prints the answer.', {
    url: {
      positional: true,
      default: 'https://127.0.0.1:8443/hello',
      help: 'What to ask for',
      parse: httpsUrl,
    },
    certs: {
      value: 'FOLDER',
      default: FOLDER,
      help: 'Where the certificate of the CA is',
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

const ADVICE = 'start the server first: node https-echo/node/server.js'

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Ask, until that was all or Ctrl-C.
  await askAll().catch(error => {
    if (stop.aborted) return // by Ctrl-C and SIGTERM
    const { code, message } = error
    // The server makes the certificates, at its first start.
    const isAbsent = ['ECONNREFUSED', 'ENOENT'].includes(code)
    const advice = isAbsent ? `; ${ADVICE}` : ''
    throw Error(`ask for ${url}: ${message || code}${advice}`)
  })
}

// 2. Asks as often as `--count` says: once, unless given. All requests go
//    over one connection.
async function askAll() {
  const session = await Promise.race([connect(), tooLate('connection')])
  try {
    for (let number = 0; number < count; number += 1) {
      if (number > 0) await sleep(every, undefined, { signal: stop })
      await Promise.race([ask(session), tooLate('whole answer')])
    }
  } finally {
    session.close()
  }
}

// Rejects when TIMEOUT is over. The program does not wait for it (`ref`).
async function tooLate(what) {
  await sleep(TIMEOUT, undefined, { ref: false })
  throw Error(`no ${what} in 10 seconds`)
}

// 3. Connects: TCP, then TLS, then HTTP/2.
async function connect() {
  const session = connectHttp2(url.origin, tls())
  session.on('error', () => {}) // it also reaches the request, or `once`
  await once(session, 'connect', { signal: stop })
  return session
}

// 4. Loads the certificate of the CA. Trusts this one and no other. Everything
//    is checked: who signed the server's certificate, for which host, until
//    when. With `rejectUnauthorized: false` there would be no error, and
//    anybody could read all.
function tls() {
  // ALPN: 'node:http2' speaks no other protocol, and says so.
  return { ca: readFileSync(join(certs, 'ca.pem')) }
}

// 5. Asks once, and prints the answer. (http-echo prints a long one as it
//    arrives.)
async function ask(session) {
  const request = session.request({
    ':authority': url.host, // as Host of HTTP/1.1
    ':path': url.pathname + url.search,
  }, { signal: stop })
  const [headers] = await Promise.race([
    once(request, 'response'),
    // Without this, Node would end the program in the middle of `await` when
    // the server closes the request without an answer.
    once(request, 'close').then(() => { throw Error('no answer') }),
  ])
  const status = headers[':status']
  line(`statusCode: ${status}`)
  if (status !== 200) throw Error(`the server answered ${status}`)
  line(shown(await text(request))) // escapes control characters
}
