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
import { missing } from '../../common/node/packages.js'
import { stop } from '../../common/node/shutdown.js'
import { check } from '../../common/node/url.js'
import * as show from './show.js'
import { Texts } from './texts.js'

const { io } = await import('socket.io-client').catch(missing)

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
const ADVICE = 'start the server first: node socketio-chat/node/server.js'
let unanswered = 0

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  checkUrl(url)
  const socket = io(url, { auth: { name } })
  socket.on('connect', () => line('connected.'))
  show.events(socket, time)

  // 1. Connect. The first time, it is an error when nobody is there: then
  //    no server was started.
  await enter(socket).catch(error => {
    socket.disconnect()
    throw Error(error.isFinal ? error.message : `${error.message}; ${ADVICE}`)
  })

  // 2. Talk until all is sent and acknowledged, or Ctrl-C.
  const texts = new Texts(rest) // typed, or --message at a pace
  let isLost = false
  while (!await talk(socket, texts).then(() => true, () => false)) {
    // 3. Lost: what was not acknowledged may be lost, too. Reconnect, unless
    //    there is nothing more to send.
    isLost ||= unanswered > 0
    if (texts.ended) break
    line('disconnected: trying again')
    unanswered = 0
    await Promise.race([reconnect(socket), once(stop, 'abort')])
    if (stop.aborted) break
  }

  // 4. Leave.
  texts.close()
  socket.disconnect()
  line('disconnected.')
  if (isLost) throw Error('something on its way was lost')
}

// Socket.IO would take a path for something else, and guess what is missing.
function checkUrl(url) {
  try {
    check(url, ['http', 'https'])
    if (new URL(url).pathname !== '/') {
      throw Error('the URL must end after the host')
    }
  } catch ({ message }) {
    throw Error(`connect to ${url}: ${message}`)
  }
}

// 5. Enter: wait for the greeting, and join the room. Each time: for the
//    server, a client that reconnects is a new one, and in no room.
async function enter(socket) {
  const failed = once(socket, 'connect_error').then(([error]) => {
    const { description, message } = error
    const isHttp = description >= 400 && description < 500
    // active: Socket.IO tries again. It does not where we were rejected.
    throw isHttp ? final(`connect to ${url}: it refuses: HTTP ${description}`)
      : socket.active ? Error(`connect to ${url}: ` +
        (description?.message || message))
      : final(`connect to ${url}: it refuses: ${message}`)
  })
  const lost = once(socket, 'disconnect').then(() => {
    throw Error('the server closed it')
  })
  await Promise.race([once(socket, 'greeting'), failed, lost])
  if (room === undefined) return
  const joined = new Promise(resolve =>
    socket.emit('join room', room, resolve))
  const answer = await Promise.race([joined, lost])
  const why = show.refusal(answer)
  if (why !== undefined) throw final(`join the room: it refuses: ${why}`)
  show.joined(room, answer)
}

function final(message) {
  return Object.assign(Error(message), { isFinal: true })
}

// 6. Reconnect with exponential backoff: twice the pause each time, up to
//    five seconds; and with random jitter, so that clients do not all
//    reconnect at the same moment. It ends where waiting cannot help.
//    Socket.IO does this by itself, unless the server has disconnected us.
async function reconnect(socket) {
  for (let pause = 1000;; pause = Math.min(2 * pause, 5000)) {
    if (!socket.active) {
      await sleep(pause * (0.5 + Math.random()))
      socket.connect()
    }
    try {
      return await enter(socket)
    } catch (error) {
      if (!error.isFinal) continue
      socket.disconnect()
      throw error
    }
  }
}

// 7. Talk: send and receive at the same time. The server acknowledges each
//    text; until then, the connection may still be lost. What is received is
//    shown by show.events().
async function talk(socket, texts) {
  const lost = once(socket, 'disconnect').then(() => { throw Error('lost') })
  let answered = () => {}
  while (!texts.ended || unanswered > 0) {
    if (texts.ended) {
      const answer = new Promise(resolve => { answered = resolve })
      await Promise.race([answer, lost])
      continue
    }
    const text = await texts.next(lost)
    if (text === undefined) continue
    line(`send: ${shown(text)}`)
    unanswered += 1
    const event = room === undefined ? ['chat message', text]
      : ['message', { room, text }]
    socket.emit(...event, answer => {
      show.answer(answer)
      unanswered -= 1
      answered()
    })
  }
}
