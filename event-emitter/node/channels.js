// Events that are taken when one is ready for them, in Node: iterators,
// signals, a stream.
//
// Rust twin: ../src/bin/channels.rs. Other half: emitter.js.
//
//     node event-emitter/node/channels.js

import { EventEmitter, on, once } from 'node:events'
import { Readable } from 'node:stream'
import { args } from '../../common/node/args.js'
import { line } from '../../common/node/log.js'
import { Recent } from './recent.js'

args('Shows iterators and streams where a program could emit events.', {})

function tell(who, { type, who: other, text }) {
  // A misspelt type is an event that never comes: nobody checks it.
  if (type === 'joined') line(`${who} hears: ${other} joined`)
  else if (type === 'said') line(`${who} hears: ${other} said ${text}`)
}

// 1. on(): an iterator that gets every event from now on and keeps it until
//    it is asked for: nobody calls it.
const room = new EventEmitter()
const leave = new AbortController()
const ada = on(room, 'happening')
const bob = on(room, 'happening', { signal: leave.signal })
const heard = async iterator => (await iterator.next()).value[0]
line(`subscribers: ${room.listenerCount('happening')}`)
room.emit('happening', { type: 'joined', who: 'Cleo' })
tell('Ada', await heard(ada))
tell('Bob', await heard(bob))

// 2. A subscription ends when its signal is aborted. Forget that, and the
//    emitter holds it for ever: nothing is dropped by itself.
leave.abort()
line(`subscribers: ${room.listenerCount('happening')}`)
room.emit('happening', { type: 'said', who: 'Cleo', text: 'hello' })
tell('Ada', await heard(ada))
await ada.return() // Ada goes as well

// 3. A slow subscriber: on() would keep all ten, and of a million all. So
//    that it cannot fill the memory, this one keeps four events and counts
//    what it missed.
const numbers = new EventEmitter()
const slow = new Recent(numbers, 'number', 4)
for (let number = 1; number <= 10; number += 1) {
  numbers.emit('number', number)
}
line(`slow missed: ${slow.missed()}`)
for (let number; (number = slow.next());) line(`slow hears: ${number}`)

// 4. A stream of objects: one consumer, each job is done once. push() takes
//    all and only says whether there is room for more; so ask before.
const queue = new Readable({ objectMode: true, highWaterMark: 2, read() {} })
for (let job = 1; job <= 3; job += 1) {
  if (queue.readableLength < queue.readableHighWaterMark) {
    queue.push(job)
    line(`queued: ${job}`)
  } else line(`no room: ${job}`)
}
queue.push(null) // the queue ends when empty
for await (const job of queue) line(`done: ${job}`)

// 5. Only the latest value counts: a variable, and an event that says only
//    that it changed.
const settings = Object.assign(new EventEmitter(), { volume: 0 })
const changed = once(settings, 'change')
for (let level = 1; level <= 3; level += 1) {
  settings.volume = level
  settings.emit('change')
}
await changed
line(`volume: ${settings.volume}`)
