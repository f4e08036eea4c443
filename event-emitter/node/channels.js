// Events that are taken when the receiver is ready, in Node: iterators,
// signals, a stream.
//
// Rust twin: ../src/bin/channels.rs. Node's usual way: emitter.js.
//
//     node event-emitter/node/channels.js
//
// Try this: misspell 'joined' in one place. Nothing tells you.

import { EventEmitter, on, once } from 'node:events'
import { Readable } from 'node:stream'
import { args } from '../../common/node/args.js'
import { fail, line } from '../../common/node/log.js'
import { Recent } from './recent.js'

args('Shows iterators and streams where a program could emit events.', {})

main().catch(fail) // prints the error, and ends with status 1

async function main() {
  // 1. Every subscriber receives every event: on(). From the moment it
  //    subscribes, its iterator keeps each event until it is asked for it.
  const room = new EventEmitter()
  const leave = new AbortController()
  const ada = on(room, 'event')
  const bob = on(room, 'event', { signal: leave.signal })
  line(`subscribers: ${room.listenerCount('event')}`)
  room.emit('event', { type: 'joined', name: 'Cleo' })
  print('Ada', await ada.next())
  print('Bob', await bob.next())

  // 2. A subscription ends: when its signal is aborted. Forget that, and the
  //    emitter holds it indefinitely: nothing is dropped by itself.
  leave.abort()
  line(`subscribers: ${room.listenerCount('event')}`)
  room.emit('event', { type: 'sent', name: 'Cleo', text: 'hello' })
  print('Ada', await ada.next())

  // 3. A slow consumer: this one keeps four events and no more, so it cannot
  //    fill the memory (on() would keep a million). It learns how many it
  //    missed, and goes on with the oldest that is still there. Node has no
  //    class for that; recent.js has one, in twenty lines.
  const numbers = new EventEmitter()
  const slow = new Recent(numbers, 'number', 4)
  for (let number = 1; number <= 10; number += 1) {
    numbers.emit('number', number)
  }
  for (const { missed, value } of slow) {
    if (missed) line(`slow missed: ${missed}`)
    else line(`slow receives: ${value}`)
  }

  // 4. Each job is done once: a stream of objects has one consumer. push()
  //    takes everything and only says whether there is room; so ask before.
  const queue = new Readable({
    objectMode: true,
    highWaterMark: 2,
    read() {}, // called when the queue is empty; here push() fills it
  })
  for (let job = 1; job <= 3; job += 1) {
    if (queue.readableLength < queue.readableHighWaterMark) {
      queue.push(job)
      line(`queued: ${job}`)
    } else {
      line(`no room: ${job}`)
    }
  }
  queue.push(null) // the queue ends when it is empty
  for await (const job of queue) line(`done: ${job}`)

  // 5. Only the latest value matters: a variable, and an event that says only
  //    that it changed.
  const settings = Object.assign(new EventEmitter(), { volume: 0 })
  const changed = once(settings, 'change')
  for (let level = 1; level <= 3; level += 1) {
    settings.volume = level
    settings.emit('change')
  }
  await changed
  line(`volume: ${settings.volume}`)
}

// What an iterator of on() returns: its value has the arguments of emit(), here
// one.
function print(receiver, { value: [{ type, name, text }] }) {
  // A misspelled type is an event that never comes: nothing checks it.
  if (type === 'joined') line(`${receiver} receives: ${name} joined`)
  else if (type === 'sent') line(`${receiver} receives: ${name} sent ${text}`)
}
