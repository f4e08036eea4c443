// A server that does what none should, for our clients: what
// tests/socketio_chat.rs starts.
//
//     node odd.js SCENARIO

import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { answer } from '../node/page.js'

const require = createRequire(new URL('../', import.meta.url))
const { Server } = require('socket.io')
const [scenario] = process.argv.slice(2)

const http = createServer(answer) // the page, for browser.js
let isGone = false
const io = new Server(http, {
  allowRequest: (_, decide) => decide(null, !isGone),
})
let visits = 0
let lastVisit

const scenarios = {
  // Sends data of all the wrong types, and answers with them.
  data(me) {
    me.emit('greeting', { text: 5 })
    const answers = [[], [null], [{ error: 5 }], ['no'], [{ error: 'no' }]]
    me.on('message', (_, ack) => ack(...answers.shift()))
    me.on('join room', (_, ack) => {
      for (const event of ['chat message', 'message', 'joined', 'left']) {
        me.emit(event)
        me.emit(event, null)
        me.emit(event, 'a text')
        me.emit(event, { name: ['A'], room: 7, text: { a: 1 } })
        me.emit(event, { name: 'A', room: 'B', text: 'C' })
      }
      for (const time of [1e300, -1, 1.5, 'noon', null, 9e15, 3_723_004]) {
        me.emit('notification', { time })
      }
      me.emit('notification')
      ack({ here: ['A', 5, null, 'B'] })
    })
  },

  // Lets nobody in for a second time.
  again(me) {
    me.emit('greeting', { text: 'Welcome!' })
    me.on('chat message', () => me.conn.close())
  },

  // Admits nobody any more, with HTTP 403, when somebody has talked.
  gone(me) {
    me.emit('greeting', { text: 'Welcome!' })
    me.on('chat message', () => {
      isGone = true
      me.conn.close()
    })
  },

  // Greets the first time; disconnects everybody later on.
  kick(me) {
    console.log(`visit ${visits}`)
    if (visits > 2) console.log(`pause ${Date.now() - lastVisit}`)
    lastVisit = Date.now()
    if (visits === 1) me.emit('greeting', { text: 'Welcome!' })
    setTimeout(() => me.disconnect(), visits === 1 ? 300 : 0)
  },

  // Is gone when somebody talks, and, the next time, when he wants to join a
  // room; then that is refused.
  room(me) {
    me.emit('greeting', { text: 'Welcome!' })
    me.on('message', () => me.conn.close())
    me.on('join room', (_, ack) => {
      if (visits === 2) return me.conn.close()
      ack(visits === 1 ? { here: [] } : { error: 'it is full' })
    })
  },
}

io.use((_, next) => {
  visits += 1
  const refused = scenario === 'again' && visits > 1
  next(refused ? Error('not twice') : undefined)
})
io.on('connection', scenarios[scenario])
http.listen(0, '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${http.address().port}`)
})
