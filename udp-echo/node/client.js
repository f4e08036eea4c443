// UDP echo client: numbers its messages, and counts those that are lost.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node udp-echo/node/server.js              # in a first terminal
//     node udp-echo/node/client.js
//     node udp-echo/node/client.js --count 100 --every 10
//
// Try this: start it without a server, and the server a little later.

import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { on, once } from 'node:events'
import { promisify } from 'node:util'
import { address, args, wholeNumber } from '../../common/node/args.js'
import { error, fail, line, shown } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'

const { address: server, message: text, timeout, ...timing } = args(
  'Sends numbered messages to a UDP echo server and counts those that are ' +
  'lost.', {
    address: {
      positional: true,
      default: '127.0.0.1:8888',
      help: 'Where the server listens',
      parse: address,
    },
    message: {
      value: 'TEXT',
      default: 'hello',
      help: 'What to send, after its number',
    },
    ...pace, // --every and --count
    timeout: {
      value: 'MS',
      default: '1000',
      help: 'Milliseconds after which a message counts as lost',
      parse: text => wholeNumber(text, 0),
    },
  })
const ADVICE = 'is the server running? node udp-echo/node/server.js'

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  let sent = 0
  let received = 0

  // 1. "Connect". Nothing is sent, and the server does not notice.
  const socket = await connect(server)

  // 2. Send one message at each tick, until the last one or Ctrl-C. Its number
  //    tells which one an echo belongs to, and which one is lost.
  for await (const _ of ticks(timing, stop)) {
    sent += 1
    const message = `${sent} ${text}`
    line(`send: ${message}`)
    const start = performance.now()
    try {
      await roundTrip(socket, message, AbortSignal.timeout(timeout))
      received += 1
      const ms = performance.now() - start
      line(`receive: ${message} after ${ms.toFixed(2)} ms`)
    } catch (failure) {
      // "ECONNREFUSED": nobody listens there at the moment. There is no
      // connection that could break, so go on; the server may come back.
      // After the time limit, on() throws an AbortError.
      if (failure.name !== 'AbortError') {
        const length = Buffer.byteLength(message)
        error(`send ${length} bytes: ${failure.message}`)
      }
      // 3. Timeout. Packet loss is silent: whether the message or its echo
      //    was lost, nobody knows.
      line(`lost: ${message}`)
    }
  }
  socket.close()

  // 4. Count.
  const lost = sent - received
  line(`sent ${sent}, received ${received}, lost ${lost}`)
  if (lost > 0) {
    error(`Error: ${lost} of ${sent} messages were lost; ${ADVICE}`)
    // Not fail(), which ends at once: lines may still wait to be printed.
    process.exitCode = 1
  }
}

// 5. Makes a socket with a port of its own that the system chooses.
//    "Connected", it receives from this server only, and an 'error' comes when
//    the network reports one.
async function connect({ host, port }) {
  const { address, family } = await lookup(host, { order: 'ipv4first' })
  const socket = createSocket(`udp${family}`)
  socket.connect(port, address)
  await once(socket, 'connect')
  // An error that comes while no message is on its way: without a listener,
  // it would end Node.
  socket.on('error', () => {})
  return socket
}

// 6. Sends one message and waits for its echo. Something else may arrive
//    before: the echo of an earlier message, late or a second time.
async function roundTrip(socket, message, signal) {
  const datagrams = on(socket, 'message', { signal }) // listens from here on
  await promisify(socket.send).call(socket, message)
  for await (const [bytes] of datagrams) {
    if (bytes.equals(Buffer.from(message))) return
    const text = shown(String(bytes)) // escapes control characters
    line(`ignore: ${text}`)
  }
}
