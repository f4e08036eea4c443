// Node's real client against a server of ours: what tests/socketio_chat.rs
// starts. Ends with status 0 when all is as promised.
//
//     node real.js SCENARIO URL [TRANSPORT] [OTHER_URL]

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'

const require = createRequire(new URL('../', import.meta.url))
const { transports } = require('engine.io-client')
const { io } = require('socket.io-client')
const [scenario, url, transport = 'websocket', otherUrl] =
  process.argv.slice(2)

const TRANSPORTS = {
  websocket: ['websocket'],
  polling: ['polling'],
  upgrade: ['polling', 'websocket'],
}
const all = []

// Not only a hang: who waits for what did not come fails, and says so.
// Who enters is announced to all who are there: with a thousand, half a million
// events, and both cores may be busy.
const LIMIT = scenario === 'thousand' ? 580_000 : 150_000
setTimeout(() => {
  throw Error(`${scenario}: something did not come`)
}, LIMIT).unref()

function client(name, options = {}, at = url) {
  const socket = io(at, {
    auth: { name },
    forceNew: true,
    reconnection: false,
    timeout: LIMIT, // 20 s are too short where a thousand connect at once
    transports: TRANSPORTS[transport],
    ...options,
  })
  socket.heard = []
  socket.onAny((event, data) => {
    if (event !== 'notification') socket.heard.push([event, data])
    socket.more?.()
  })
  all.push(socket)
  return socket
}

/** A client that is in: it was greeted. */
async function enter(name, options, at) {
  const socket = client(name, options, at)
  socket.on('connect_error', error => { throw error })
  const [greeting] = await once(socket, 'greeting')
  assert.deepEqual(greeting, { text: `Welcome, ${name}!` })
  const { engine } = socket.io
  if (transport === 'upgrade' && engine.transport.name !== 'websocket') {
    await new Promise(resolve => engine.once('upgrade', resolve))
  }
  return socket
}

const ask = (socket, ...event) => socket.timeout(LIMIT).emitWithAck(...event)

/** Everything that was sent to this client before now has arrived. */
async function settle(...sockets) {
  for (const socket of sockets) await ask(socket, 'who is here')
}

/** What this client heard since it was last asked, without times and ids. */
function heard(socket) {
  return socket.heard.splice(0).map(([event, { id, time, ...data }]) => {
    assert.ok(time === undefined || Math.abs(time - Date.now()) < LIMIT)
    // Whoever says something has an id; who joins or leaves needs none here.
    assert.equal(typeof id, time === undefined ? 'undefined' : 'string')
    return [event, data]
  })
}

/** As `heard`, once there are so many. */
async function hear(socket, count) {
  while (socket.heard.length < count) {
    await new Promise(resolve => { socket.more = resolve })
  }
  return heard(socket)
}

const scenarios = {
  async events() {
    const [ada, bob, eve] =
      [await enter('Ada'), await enter('Bob'), await enter('Eve')]
    await settle(ada, bob, eve)
    assert.deepEqual(heard(ada), [
      ['greeting', { text: 'Welcome, Ada!' }],
      ['joined', { name: 'Bob' }], ['joined', { name: 'Eve' }]])
    heard(bob)
    heard(eve)

    // To all, also to who said it.
    assert.deepEqual(await ask(ada, 'chat message', 'hello 你好 😀'), {})
    await settle(ada, bob, eve)
    for (const socket of [ada, bob, eve]) {
      assert.deepEqual(heard(socket),
        [['chat message', { name: 'Ada', text: 'hello 你好 😀' }]])
    }
    // The id says who it was.
    const [said] = await Promise.all([once(bob, 'chat message'),
      ask(ada, 'chat message', 'it is me')])
    assert.equal(said[0].id, ada.id)
    await settle(ada, bob, eve)
    for (const socket of [ada, bob, eve]) heard(socket)
    // To all but oneself.
    assert.deepEqual(await ask(ada, 'clientmessage', 'hi'), {})
    await settle(ada, bob, eve)
    assert.deepEqual(heard(ada), [])
    for (const socket of [bob, eve]) {
      assert.deepEqual(heard(socket),
        [['message', { name: 'Ada', text: 'hi' }]])
    }
    // To a room only.
    assert.deepEqual(await ask(ada, 'join room', 'lobby'), { here: ['Ada'] })
    assert.deepEqual(await ask(bob, 'join room', ' lobby '),
      { here: ['Ada', 'Bob'] })
    assert.deepEqual(await ask(bob, 'join room', '\u3000lobby\t'),
      { here: ['Ada', 'Bob'] })
    assert.deepEqual(await ask(bob, 'message', { room: 'lobby', text: 'psst' }),
      {})
    await settle(ada, bob, eve)
    const psst = ['message', { name: 'Bob', room: 'lobby', text: 'psst' }]
    assert.deepEqual(heard(ada),
      [['joined', { name: 'Bob', room: 'lobby' }], psst])
    assert.deepEqual(heard(bob), [psst])
    assert.deepEqual(heard(eve), [])

    // Without an acknowledgement, too.
    eve.emit('chat message', 'no answer, please')
    await settle(eve, ada, bob)
    assert.equal(heard(eve).length, 1)
    heard(ada)
    heard(bob)
    assert.deepEqual(await ask(eve, 'who is here'),
      { here: ['Ada', 'Bob', 'Eve'] })

    // Who leaves the room hears nothing more from it.
    assert.deepEqual(await ask(bob, 'leave room', 'lobby'), {})
    await ask(ada, 'message', { room: 'lobby', text: 'alone' })
    await settle(ada, bob)
    assert.deepEqual(heard(bob), [])
    assert.deepEqual(heard(ada).map(([event]) => event), ['left', 'message'])

    // Whoever goes is announced.
    bob.disconnect()
    await once(ada, 'left')
    await settle(ada, eve)
    assert.deepEqual(heard(ada), [['left', { name: 'Bob' }]])
    assert.deepEqual(await ask(ada, 'who is here'), { here: ['Ada', 'Eve'] })
  },

  async refusals() {
    const ada = await enter('Ada')
    const refused = async (...event) => {
      const { error } = await ask(ada, ...event)
      assert.equal(typeof error, 'string', JSON.stringify(event))
      return error
    }
    const text = 'a message has 1 to 2000 characters'
    assert.equal(await refused('chat message', ''), text)
    assert.equal(await refused('chat message', '中'.repeat(2001)), text)
    assert.deepEqual(await ask(ada, 'chat message', '😀'.repeat(2000)), {})
    for (const wrong of [7, null, { a: 1 }, ['a'], true]) {
      assert.equal(await refused('chat message', wrong), text)
      assert.equal(await refused('clientmessage', wrong), text)
      await refused('join room', wrong)
      await refused('leave room', wrong)
      await refused('message', wrong)
    }
    await refused('message', { room: 'lobby', text: 'from outside' })
    await refused('message', { room: 7, text: 'x' })
    for (const room of ['', ' \u3000 ', 'x'.repeat(25), 'a\nb', 'a\u202eb',
      'a\u0085b']) {
      await refused('join room', room)
    }
    // Nobody can listen at another one's door.
    assert.deepEqual(await ask(ada, 'join room', 'name:Ada'), { here: ['Ada'] })
    for (let i = 0; i < 19; i += 1) await ask(ada, 'join room', `room ${i}`)
    assert.equal(await refused('join room', 'one more'),
      'you are in 20 rooms already')
    // An event nobody knows, and one with a strange name.
    ada.emit('no such event', 1)
    ada.emit('toString')
    ada.emit('__proto__', {})
    assert.deepEqual(await ask(ada, 'who is here'), { here: ['Ada'] })

    for (const auth of [{}, { name: '' }, { name: 7 }, { name: 'a\x1b[2Jb' },
      { name: 'x'.repeat(25) }, { name: null }]) {
      const socket = client('', { auth })
      const [error] = await once(socket, 'connect_error')
      assert.equal(error.message, 'a name has 1 to 24 visible characters')
    }
  },

  async order() {
    const [ada, bob] = [await enter('Ada'), await enter('Bob')]
    const answers = []
    for (let i = 0; i < 500; i += 1) {
      answers.push(ask(ada, 'chat message', `message ${i}`))
    }
    for (const answer of answers) assert.deepEqual(await answer, {})
    await settle(ada, bob)
    const expected = Array.from({ length: 500 }, (_, i) => `message ${i}`)
    for (const socket of [ada, bob]) {
      const said = heard(socket).filter(([event]) => event === 'chat message')
      assert.deepEqual(said.map(([, { text }]) => text), expected)
    }
  },

  // Both speak from before an upgrade until after it: Ada, who has none, to
  // Bob while he has his.
  async upgrade() {
    let begin
    const begun = new Promise(resolve => { begin = resolve })
    class Late extends transports.websocket {
      doOpen() { begun.then(() => super.doOpen()) }
    }
    const ada = await enter('Ada')
    const bob = client('Bob', { transports: [transports.polling, Late] })
    await once(bob, 'greeting')
    const answers = []
    for (let said = 0, after = 0; after < 20; said += 1) {
      for (const by of [ada, bob]) {
        answers.push(ask(by, 'chat message', `message ${said}`))
      }
      await answers.at(-2) // Ada's: nobody has thousands waiting for him
      const { name } = bob.io.engine.transport
      // Something has come the long way: now the other one is tried.
      if (name === 'polling' && bob.heard.length > 40) begin()
      if (name === 'websocket') after += 1
    }
    for (const answer of answers) assert.deepEqual(await answer, {})
    await settle(ada, bob)
    const expected = Array.from({ length: answers.length / 2 },
      (_, i) => `message ${i}`)
    for (const socket of [ada, bob]) {
      const messages = heard(socket).map(([, data]) => data)
      for (const by of ['Ada', 'Bob']) {
        const said = messages.filter(({ name, text }) => name === by && text)
        assert.deepEqual(said.map(({ text }) => text), expected)
      }
    }
  },

  // Each event reaches the client of another server too, and once.
  async servers() {
    const ada = await enter('Ada')
    heard(ada)
    const bob = await enter('Bob', {}, otherUrl)
    assert.deepEqual(await hear(ada, 1), [['joined', { name: 'Bob' }]])
    // The news of Ada may come to Bob's server only now, but before this.
    await ask(ada, 'chat message', 'zero')
    const isZero = ([, { text }]) => text === 'zero'
    while (!bob.heard.some(isZero)) {
      await new Promise(resolve => { bob.more = resolve })
    }
    heard(ada)
    heard(bob)
    for (const [by, name, other] of [[ada, 'Ada', bob], [bob, 'Bob', ada]]) {
      assert.deepEqual(await ask(by, 'chat message', 'one'), {})
      assert.deepEqual(await ask(by, 'clientmessage', 'two'), {})
      assert.deepEqual(await ask(by, 'chat message', 'three'), {})
      const one = ['chat message', { name, text: 'one' }]
      const two = ['message', { name, text: 'two' }]
      const three = ['chat message', { name, text: 'three' }]
      assert.deepEqual(await hear(by, 2), [one, three])
      assert.deepEqual(await hear(other, 3), [one, two, three])
      assert.deepEqual(await ask(by, 'who is here'), { here: ['Ada', 'Bob'] })
    }
    bob.disconnect()
    assert.deepEqual(await hear(ada, 1), [['left', { name: 'Bob' }]])
  },

  // A packet of 1 MB and ten attachments is taken, and not more.
  async limits() {
    const text = length => 'x'.repeat(length)
    const parts = count => Array(count).fill(Buffer.alloc(10))
    for (const fits of [text(999_900), parts(10)]) {
      const ada = await enter('Ada')
      const { error } = await ask(ada, 'chat message', fits)
      assert.equal(error, 'a message has 1 to 2000 characters')
      ada.disconnect()
    }
    for (const large of [text(1_000_100), parts(11)]) {
      const ada = await enter('Ada')
      const gone = once(ada, 'disconnect')
      ada.emit('chat message', large)
      const [reason] = await gone
      assert.match(reason, /^transport (close|error)|^parse error/)
    }
    await enter('Bob')
  },

  async notifications() {
    const ada = await enter('Ada')
    const [{ time }] = await once(ada, 'notification')
    assert.ok(Math.abs(time - Date.now()) < 60_000, `${time}`)
    const [{ time: later }] = await once(ada, 'notification')
    assert.ok(later > time)
  },

  async thousand() {
    // All of them hear of each: with all coming in the same moment, this one
    // process may be too busy with that to answer the server's pings in time.
    const sockets = []
    while (sockets.length < 1000) {
      const names = Array.from({ length: 50 },
        (_, i) => `client ${sockets.length + i}`)
      sockets.push(...await Promise.all(names.map(name => enter(name))))
    }
    const { here } = await ask(sockets[0], 'who is here')
    assert.equal(here.length, 1000)
    const said = sockets.map(socket => once(socket, 'chat message'))
    assert.deepEqual(await ask(sockets[7], 'chat message', 'hello'), {})
    for (const message of said) {
      const [{ name, text }] = await message
      assert.deepEqual({ name, text }, { name: 'client 7', text: 'hello' })
    }
  },

  // Who does not read takes no memory without end, nor anybody's time. Says
  // who is there in the end.
  async silent() {
    const ada = await enter('Ada')
    const deaf = await enter('Deaf')
    deaf.io.engine.transport.ws._socket.pause()
    for (let i = 0; i < 20; i += 1) {
      const answers = Array.from({ length: 500 }, () =>
        ask(ada, 'chat message', 'x'.repeat(2000)))
      await Promise.all(answers)
    }
    const said = heard(ada).filter(([event]) => event === 'chat message')
    assert.equal(said.length, 10_000)
    const { here } = await ask(ada, 'who is here')
    console.log(`here: ${here.join(', ')}`)
  },

  // Nobody reads the server's own lines, until we say so: then it takes
  // nothing, and all is answered in the end.
  async unread() {
    const ada = await enter('Ada')
    let answer
    let count = 0
    do {
      count += 1
      assert.ok(count < 5000, 'the lines are somewhere')
      answer = ask(ada, 'chat message', 'x'.repeat(100))
    } while (await Promise.race([answer, sleep(2000, 'late')]) !== 'late')
    const more = Array.from({ length: 100 }, () =>
      ask(ada, 'chat message', 'y'))
    console.log('held back')
    for (const late of [answer, ...more]) assert.deepEqual(await late, {})
    await enter('Bob')
  },

  // Stays until the server goes.
  async stay() {
    const ada = await enter('Ada')
    console.log('in')
    await once(ada, 'disconnect')
  },
}

await scenarios[scenario]()
for (const socket of all) socket.disconnect()
