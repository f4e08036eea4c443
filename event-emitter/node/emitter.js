// Node's EventEmitter: the calls, their order, and what surprises.
//
// Rust twin: ../src/bin/emitter.rs. Other half: channels.js.
//
//     node event-emitter/node/emitter.js

import { EventEmitter } from 'node:events'
import { args } from '../../common/node/args.js'
import { line } from '../../common/node/log.js'

args('Shows what an EventEmitter does.', {})
const emitter = new EventEmitter()
const says = who => text => line(`${who}: ${text}`)

// 1. Listeners are called in the order in which they were added, before
//    emit() returns: nothing waits, and nothing runs at the same time.
emitter.on('greet', says('first'))
emitter.on('greet', says('second'))
emitter.prependListener('greet', says('in front'))
line(`greet was heard: ${emitter.emit('greet', 'Ada')}`)

// 2. once() hears one event.
emitter.removeAllListeners('greet')
emitter.once('greet', says('once'))
emitter.emit('greet', 'Bob')
line(`greet was heard: ${emitter.emit('greet', 'Bob again')}`)

// 3. off() needs the listener that on() was given: two functions with the
//    same text are two listeners.
const hello = says('hello')
emitter.on('greet', hello)
emitter.off('greet', says('hello'))
emitter.emit('greet', 'Cleo')
emitter.off('greet', hello)
line(`listeners of greet: ${emitter.listenerCount('greet')}`)

// 4. emit() copies the list first. Whoever is removed meanwhile still hears
//    this event; whoever is added hears only the next one.
const leaving = says('leaving')
emitter.once('greet', function () {
  this.off('greet', leaving)
  this.on('greet', says('new'))
})
emitter.on('greet', leaving)
emitter.emit('greet', 'Dan')
emitter.emit('greet', 'Eve')

// 5. The eleventh listener of one event may be a leak: a warning goes to
//    stderr, once.
for (let i = 0; i < 11; i += 1) emitter.on('tick', () => {})
line(`listeners of tick: ${emitter.listenerCount('tick')}`)
emitter.setMaxListeners(20) // all of them are wanted
for (let i = 0; i < 9; i += 1) emitter.on('tick', () => {})

// 6. Events may go unheard, but not an error: emit() throws it.
try {
  emitter.emit('error', Error('disk full'))
} catch (error) {
  line(`nobody heard the error: ${error.message}`)
}
emitter.on('error', error => line(`alarm: ${error.message}`))
emitter.emit('error', Error('disk full'))
