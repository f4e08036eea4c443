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
import { openTerminal } from './terminal.js'

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
    noDelay: true, // disable Nagle's algorithm: send small writes immediately
  })
  await once(socket, 'connect').catch(({ code, message }) => {
    throw Error(`connect to ${host}:${port}: ${message || code}; ${ADVICE}`)
  })
  line('connected.')

  // 2. Send and receive at the same time, until the server closes or the
  //    user leaves. In a terminal there is a line editor; from a pipe, bytes
  //    come as they are. An error of send() is dropped: when the server has
  //    closed, its last line may say why, and receive() shows it.
  const { input, screen } = openTerminal()
  send(socket, input).catch(() => {})
  try {
    const receiving = receive(socket, screen)
    await Promise.race([receiving, stopped]) // Ctrl-C, or Ctrl-D in the editor
  } catch ({ message }) {
    throw Error(`receive: ${message}`)
  } finally {
    // 3. Give the terminal back before anything else is printed.
    screen.close()
    socket.destroy()
  }
  line('disconnected.')
}

// 4. Send what is typed.
async function send(socket, input) {
  const write = promisify(socket.write).bind(socket) // returns a promise
  if (name !== undefined) await write(`/name ${name}\n`)
  // The server looks for the line ends, so pieces of any size will do.
  for await (const typed of input) await write(typed)
  // Half-close: tells the server that nothing more will come, and leaves the
  // other direction open.
  socket.end()
}

// 5. Receive lines, and show them.
async function receive(socket, screen) {
  for await (const line of readLine(socket)) {
    await screen.show(escaped(line.toString().replace(/[\r\n]+$/, '')))
  }
}

// 6. Framing: TCP has none, so one piece may hold half a line, which would
//    stand in the line being typed. Collect bytes up to the next line feed.
async function* readLine(socket) {
  let begun = Buffer.alloc(0) // what no line has been made of
  for await (const bytes of socket) {
    begun = Buffer.concat([begun, bytes])
    while (begun.includes('\n')) {
      const length = begun.indexOf('\n') + 1
      if (length >= LONGEST) throw Error('a line without an end')
      yield begun.subarray(0, length)
      begun = begun.subarray(length)
    }
    // A server that sends no line feed would fill the memory.
    if (begun.length >= LONGEST) throw Error('a line without an end')
  }
  if (begun.length > 0) yield begun // the last line may lack its line feed
}
