// UDP echo server: each datagram goes back to whoever sent it.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js.
//
//     node udp-echo/node/server.js
//     node udp-echo/node/client.js              # in a second terminal

import { address, args } from '../../common/node/args.js'
import { error, line, ready, shown } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'
import { mayAnswer, printed, socketFor } from './datagrams.js'

const { address: { host, port } } = args(
  'Sends each datagram back to whoever sent it.', {
    address: {
      positional: true,
      default: '127.0.0.1:8888',
      help: 'Where to listen; 0.0.0.0:8888 opens it to other computers',
      parse: address,
    },
  })

// 1. Listen. One socket is enough for all clients: nobody connects, and
//    each datagram says where it comes from.
const failed = ({ message }) => {
  error(`Error: listen on ${host}:${port}: ${message}`)
  process.exit(1)
}
const [socket, here] = await socketFor(host).catch(failed)
socket.once('error', failed)
socket.bind(port, here, () => {
  ready(`listening on ${printed(socket.address())}`)

  // 3. An error ends nothing.
  socket.off('error', failed)
  socket.on('error', ({ message }) => error(`receive: ${message}`))
})

// 2. Take one datagram after the other: this callback runs for each. Node
//    receives into 64 KiB, so none is cut.
socket.on('message', (bytes, sender) => {
  // Nobody reads our lines, and they must not fill the memory. Rust's waits
  // until the kernel's buffer is full, and drops. Node cannot wait: drop.
  if (process.stdout.writableNeedDrain) return

  // One datagram is one message, and may well be empty.
  const text = shown(bytes)
  line(`receive: ${text}`)

  // 4. Send it back: to nobody but its sender, and not a byte more than
  //    came. A server that answers with more than it was sent is used to
  //    flood others, under a forged sender.
  if (!mayAnswer(sender, socket.address().port)) {
    return error(`no answer to ${printed(sender)}: not a client`)
  }
  socket.send(bytes, sender.port, sender.address, failed => {
    if (failed) error(`send to ${printed(sender)}: ${failed.message}`)
    else line(`send: ${text}`)
  })
})

// 5. Stop. There is nothing else to close: no client is connected.
stop.addEventListener('abort', () => socket.close())
