// TCP chat client: sends what you type, and shows what all say.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node tcp-chat/node/server.js               # in a first terminal
//     node tcp-chat/node/client.js --name Ada
//
// Try this: type half a line, and let another client send something.

import { once } from 'node:events'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { address, args } from '../../common/node/args.js'
import { escaped, fail, line } from '../../common/node/log.js'
import { stopped } from '../../common/node/shutdown.js'
import { open } from './terminal.js'

const { address: { host, port }, name } = args(
  'Sends what you type to a chat, and shows what all say.', {
    address: {
      positional: true,
      default: '127.0.0.1:8000',
      help: 'Where the server listens',
      parse: address,
    },
    name: {
      value: 'NAME',
      help: 'What the others call you; without it, your address',
    },
  })

// The longest line that we show, in bytes.
const LONGEST = 64 * 1024

const ADVICE = 'start the server first: node tcp-chat/node/server.js'

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Connect.
  const socket = connect({
    host,
    port,
    allowHalfOpen: true,
    noDelay: true, // disable Nagle's algorithm: send small writes immediately
  })
  await once(socket, 'connect').catch(({ code, message }) => {
    throw Error(`connect to ${host}:${port}: ${message || code}; ${ADVICE}`)
  })
  line('connected.')

  // 2. Send and receive at the same time, until the server closes or the
  //    user leaves. In a terminal there is a line editor; from a pipe, bytes
  //    come as they are.
  const { input, screen, isTerminal } = open()
  const sendAll = async () => {
    const isSent = await send(socket, input).then(() => true, () => false)
    if (isSent && isTerminal) return // a person typed Ctrl-D, and leaves
    // A pipe has ended, or nothing can be sent any more. Then receive() goes
    // on until Ctrl-C: the server's last line may say why.
    await stopped
  }
  let failure
  await Promise.race([
    receive(socket, screen).catch(error => { failure = error }),
    sendAll(),
    stopped, // by Ctrl-C, also in the editor
  ])

  // 3. Give the terminal back before anything else is printed.
  screen.close()
  socket.destroy()
  if (failure) throw Error(`receive: ${failure.message}`)
  line('disconnected.')
}

// 4. Send what is typed.
async function send(socket, input) {
  const write = promisify(socket.write).bind(socket)
  if (name !== undefined) await write(`/name ${name}\n`)
  // The server looks for the line ends, so pieces of any size will do.
  for await (const typed of input) await write(typed)
  // Half-close: tells the server that nothing more will come, and leaves the
  // other direction open.
  socket.end()
}

// 5. Receive lines, and show them. TCP has no framing: a piece may hold half
//    a line, which would stand in the line being typed. So collect bytes up
//    to each line feed.
async function receive(socket, screen) {
  let begun = Buffer.alloc(0) // a line whose end has not arrived
  for await (const bytes of socket) {
    begun = Buffer.concat([begun, bytes])
    while (begun.includes('\n')) {
      const end = begun.indexOf('\n') + 1
      await show(begun.subarray(0, end))
      begun = begun.subarray(end)
    }
    // A server that sends no line feed would fill the memory.
    if (begun.length >= LONGEST) throw Error('a line without an end')
  }
  if (begun.length > 0) await show(begun)

  function show(bytes) {
    return screen.line(escaped(bytes.toString().replace(/[\r\n]+$/, '')))
  }
}
