// The first version of a channel. Rust twin: channels.rs.

import { EventEmitter, on } from 'node:events'

const room = new EventEmitter()
const ada = on(room, 'message')
const bob = on(room, 'message')
room.emit('message', 'hello')
room.emit('message', 'bye')
console.log(`Ada receives: ${(await ada.next()).value}`)
console.log(`Ada receives: ${(await ada.next()).value}`)
console.log(`Bob receives: ${(await bob.next()).value}`)
