// UDP echo server: sends each datagram back to its sender.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js.
//
//     node udp-echo/node/server.js
//     node udp-echo/node/client.js              # in a second terminal
//
// Try this: stop the server for a while and start it again. The client
// counts what was lost, and goes on.

import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { address, args, shownAddress } from '../../common/node/args.js'
import { error, fail, line, shown } from '../../common/node/log.js'
import { stopped } from '../../common/node/shutdown.js'

const { address: { host, port } } = args(
  'Sends each datagram back to its sender.', {
    address: {
      positional: true,
      default: '127.0.0.1:8888',
      help: 'Where to listen; 0.0.0.0:8888 opens it to other computers',
      parse: address,
    },
  })

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Listen. One socket serves all clients: there are no connections, and
  //    each datagram says where it comes from.
  const { address, family } = await lookup(host, { order: 'ipv4first' })
  const socket = createSocket(`udp${family}`)
  socket.bind(port, address)
  await once(socket, 'listening')
  const own = socket.address()
  line(`listening on ${shownAddress(own)}`)

  // 2. Receive one datagram after the other, until Ctrl-C. A function is
  //    called for each; in Rust we fetch them. Node receives into 64 KiB, so
  //    none is cut.
  socket.on('message', (bytes, sender) => echo(socket, bytes, sender, own.port))
  socket.on('error', ({ message }) => error(`receive: ${message}`))
  await stopped // by Ctrl-C and SIGTERM

  // 3. Stop. No client is connected, so there is nothing else to close.
  socket.close()
}

// 4. Sends one datagram back. It is a whole message, and may be empty: in
//    UDP, 0 bytes do not mean the end.
function echo(socket, bytes, sender, ownPort) {
  const text = shown(String(bytes)) // escapes control characters
  line(`receive: ${text}`)

  // 5. Protect others. Spoofing: a sender's address can be forged. If it were
  //    that of another echo server, the two would answer each other
  //    indefinitely. So do not answer a port below 1024, where a system's
  //    services are, nor one with our own port number: it may be an
  //    echo server like this one.
  if (sender.port < 1024 || sender.port === ownPort) {
    error(`no answer to ${shownAddress(sender)}: not a client`)
    return
  }
  // Amplification: a server whose answers are longer than the questions
  // multiplies an attack on a forged sender. An echo is exactly as long as what
  // it answers.
  socket.send(bytes, sender.port, sender.address, failure => {
    if (failure) error(`send to ${shownAddress(sender)}: ${failure.message}`)
    else line(`send: ${text}`)
  })
}
