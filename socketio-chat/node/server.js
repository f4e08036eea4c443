// Chat server: what one says, the others hear, in a browser or a terminal.
//
// Rust twin: ../src/bin/server.rs. Other half: client.js, or the page.
//
//     npm ci --prefix socketio-chat/node        # once
//     node socketio-chat/node/server.js
//     node socketio-chat/node/client.js         # in a second terminal

import { createServer } from 'node:http'
import { address, args, wholeNumber } from '../../common/node/args.js'
import { error, ready } from '../../common/node/log.js'
import { overdue, stop } from '../../common/node/shutdown.js'
import * as chat from './chat.js'
import { join } from './cluster.js'
import { answer } from './page.js'
import { admits } from './web.js'

const { address: { host, port }, every, redis, origin } = args(
  'Lets people chat: shows them a page, and passes on what they say.', {
    address: {
      positional: true,
      default: '127.0.0.1:3000',
      help: 'Where to listen; 0.0.0.0:3000 opens it to other computers',
      parse: address,
    },
    every: {
      value: 'MS',
      default: '5000',
      help: 'Milliseconds between two notifications of the time',
      parse: text => wholeNumber(text, 1, 86_400_000),
    },
    redis: { value: 'URL', help: 'A Redis that joins this server with others' },
    origin: {
      value: 'URL',
      multiple: true,
      default: [],
      help: 'A site whose pages may use this server; may be repeated',
    },
  })

// 1. Listen. Socket.IO takes what is for it, the page has the rest.
const http = createServer(answer)
const io = chat.open(http, origin, request => admits(request, origin))
// Before anybody is in, it is asked for the name.
io.use(chat.introduce)
if (redis) await join(io, redis)
http.listen({ host, port }, () => {
  const { address, family, port } = http.address()
  const shown = family === 'IPv6' ? `[${address}]` : address
  ready(`listening on ${shown}:${port}`)
})
http.on('error', ({ message }) => {
  error(`Error: listen on ${host}:${port}: ${message}`)
  process.exit(1)
})

// 2. Tell everybody the time, and serve until Ctrl-C.
setInterval(() => io.emit('notification', { time: Date.now() }), every).unref()

// 3. Somebody is in: say what is to be done with each event. Data may be of
//    any type, whatever the client's own code sends: look before you use it.
io.on('connection', me => {
  me.on('chat message', (text, ack) => chat.answer(ack, () =>
    chat.say('chat message', chat.said(me, text), io))) // also who says it
  me.on('clientmessage', (text, ack) => chat.answer(ack, () =>
    chat.say('clientmessage', chat.said(me, text), me.broadcast)))
  me.on('message', (data, ack) => chat.answer(ack, () => {
    const said = chat.saidInRoom(me, data)
    return chat.say('message', said, io.in(chat.key(said.room)))
  }))
  me.on('join room', (room, ack) => chat.answer(ack, () =>
    chat.join(io, me, room)))
  me.on('leave room', (room, ack) => chat.answer(ack, () =>
    chat.leave(me, room)))
  me.on('who is here', ack => chat.answer(ack, () => chat.here(io)))

  // 4. Somebody is gone, for whatever reason.
  me.on('disconnect', () => chat.tell('left', me))

  // 5. Greet who is in, and tell the others.
  me.emit('greeting', { text: `Welcome, ${me.data.name}!` })
  chat.tell('joined', me)
})

// 6. Stop: say goodbye to all. They will try to come back.
stop.addEventListener('abort', () => io.close())
overdue(() => http.closeAllConnections())
