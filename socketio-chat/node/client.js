// Chat client for a terminal: sends what you type, shows what others send.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node socketio-chat/node/server.js          # in a first terminal
//     node socketio-chat/node/client.js --name Ada --room lobby
//
// Try this: stop the server while the client runs, and start it again.

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { args } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { pace } from '../../common/node/pace.js'
import { stop, stopped } from '../../common/node/shutdown.js'
import { Refusal, open } from './session.js'
import * as show from './show.js'
import { Texts } from './texts.js'

const { url, name, room, time, ...rest } = args(
  'Sends what you type to a chat, and shows what the others send.', {
    url: {
      positional: true,
      default: 'http://127.0.0.1:3000',
      help: 'Where the server listens',
    },
    name: { value: 'NAME', default: 'somebody', help: 'What others call you' },
    room: {
      value: 'ROOM',
      help: 'A room to join, and to send to; else, you send to everybody',
    },
    time: { help: 'Show the server\'s notifications of the time too' },
    message: { value: 'TEXT', help: 'Send this at a pace, not what is typed' },
    ...pace,
  })
let pending = 0 // texts that were not acknowledged

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  const texts = new Texts(rest) // typed, or --message at a pace

  // 1. Enter the chat. The first time, it is an error when nobody is there:
  //    then no server was started.
  let session = await enter()

  // 2. Send until that was all, or Ctrl-C. When the connection is lost,
  //    reconnect. What was not acknowledged may be lost, too.
  while (true) {
    try {
      await send(session, texts)
      break // that was all; Ctrl-C ends the texts, too
    } catch {
      line('disconnected: trying again')
    }
    const next = await Promise.race([reconnect(), stopped])
    if (stop.aborted) break // Ctrl-C
    session = next
  }

  // 3. Leave.
  texts.close()
  session.socket.disconnect()
  line('disconnected.')
  if (pending > 0) throw Error('something on its way was lost')
}

// 4. Enter: connect, wait for the greeting, and join the room. Each time: for
//    the server, a client that reconnects is a new one, and in no room.
async function enter() {
  // The socket is what io() of socket.io-client returns. The promise `lost` is
  // rejected when we cannot connect, and when the connection is lost.
  const { socket, lost } = open(url, name)
  show.events(socket, time) // from now on, shows each event that arrives
  socket.on('connect', () => line('connected.'))
  await Promise.race([once(socket, 'greeting'), lost])
  if (room !== undefined) {
    const joining = socket.emitWithAck('join room', room)
    show.joined(room, await Promise.race([joining, lost]))
  }
  return { socket, lost }
}

// 5. Reconnect with exponential backoff: twice the pause each time, up to
//    five seconds; and with random jitter, so that clients do not all
//    reconnect at the same moment. A refusal ends it: waiting cannot help.
async function reconnect() {
  let pause = 1000
  while (true) {
    await sleep(pause * (0.5 + Math.random() / 2))
    try {
      return await enter()
    } catch (error) {
      if (error instanceof Refusal) throw error
      pause = Math.min(2 * pause, 5000)
    }
  }
}

// 6. Send each text, and wait for its acknowledgement: until then, the
//    connection may still be lost, and the text with it. While this waits,
//    for a text or for an answer, events arrive and are shown.
async function send({ socket, lost }, texts) {
  while (true) {
    const text = await texts.next(lost)
    if (text === undefined) return // that was all, or Ctrl-C
    line(`send: ${shown(text)}`)
    pending += 1 // until its answer is here
    const asking = room === undefined
      ? socket.emitWithAck('chat message', text)
      : socket.emitWithAck('message', { room, text })
    const answer = await Promise.race([asking, lost])
    pending -= 1
    show.answer(answer)
  }
}
