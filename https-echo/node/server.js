// HTTPS echo server: HTTP/2 or HTTP/1.1 over TLS.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js, or curl.
//
//     node https-echo/node/server.js
//     node https-echo/node/client.js            # in a second terminal
//
// Try this: curl --cacert target/https-echo/ca.pem https://localhost:8443/

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import { join } from 'node:path'
import { address, args, shownAddress } from '../../common/node/args.js'
import { error, fail, line } from '../../common/node/log.js'
import { stopped } from '../../common/node/shutdown.js'
import { answer } from './answer.js'
import { FOLDER, makeIfMissing } from './certs.js'
import { TIMEOUT, limits } from './limits.js'

const { address: { host, port }, certs } = args(
  'Answers each HTTPS request with the path that it asks for.', {
    address: {
      positional: true,
      default: '127.0.0.1:8443',
      help: 'Where to listen; 0.0.0.0:8443 opens it to other computers',
      parse: address,
    },
    certs: {
      value: 'FOLDER',
      default: FOLDER,
      help: 'Where the certificates are; the first start makes them there',
    },
  })
const sessions = new Set()

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Prepare TLS, once for all connections.
  const server = createSecureServer({ ...tls(), ...limits })
  // A client that sends nothing, or that stops reading, is disconnected. The
  // same goes for one that sends half a request of HTTP/2 and no more.
  server.timeout = TIMEOUT

  // 2. Listen.
  server.listen({ host, port })
  await once(server, 'listening')
  line(`listening on ${shownAddress(server.address())}`)

  // 3. Accept clients until Ctrl-C. Node does so by itself, where Rust spawns
  //    a task for each.
  serve(server)
  await stopped // by Ctrl-C and SIGTERM

  // 4. Stop: accept nobody else, finish the answers, close the rest.
  server.close()
  for (const session of sessions) session.close()
}

// 5. Loads the certificate and its key.
function tls() {
  makeIfMissing(certs) // a CA, and a leaf that it has signed
  return {
    cert: readFileSync(join(certs, 'leaf.pem')),
    key: readFileSync(join(certs, 'leaf-key.pem')),
    // ALPN: in the handshake the client says which protocols it speaks, and
    // the server chooses the first of these that is among them.
    ALPNProtocols: ['h2', 'http/1.1'],
    allowHTTP1: true, // else a client without HTTP/2 is refused
    handshakeTimeout: TIMEOUT, // for step 7
  }
}

// 6. Serves each client. An error ends this connection and no other. (Node
//    handles the connections itself; this runs once, for all.)
function serve(server) {
  // For step 4, as server.close() leaves connections of HTTP/2 open.
  server.on('session', session => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
  })
  shakeHands(server)
  speak(server)
}

// 7. Shakes hands: TLS agrees on keys, shows the certificate, and chooses a
//    protocol. Node does so by itself; here it reports those that failed.
function shakeHands(server) {
  server.on('tlsClientError', ({ message, reason }) => {
    error(`socket: TLS handshake: ${reason ?? message}`)
  })
}

// 8. Speaks what was agreed on: the client may know no HTTP/2. Node calls the
//    same function for both protocols.
function speak(server) {
  server.on('request', (request, response) => {
    // answer() reads a request and sends its path back, as in http-echo.
    // A client that is gone, perhaps with an error, is not worth a line.
    answer(request, response).catch(() => {})
  })
}
