// Node's EventEmitter: the calls, their order, and what surprises.
//
// Rust twin: ../src/bin/emitter.rs. Taken when ready instead: channels.js.
//
//     node event-emitter/node/emitter.js
//
// Try this: emit 'greet' with a number. Node greets a number.

import { EventEmitter } from 'node:events'
import { args } from '../../common/node/args.js'
import { line } from '../../common/node/log.js'

args('Shows what an EventEmitter does.', {})

main()

function main() {
  const emitter = new EventEmitter()

  // 1. Listeners are called in the order in which they were added, before
  //    emit() returns: nothing waits, and nothing runs at the same time.
  emitter.on('greet', prints('first'))
  emitter.on('greet', prints('second'))
  emitter.prependListener('greet', prints('in front'))
  line(`greet had listeners: ${emitter.emit('greet', 'Ada')}`)

  // 2. once() is for one event.
  emitter.removeAllListeners('greet')
  emitter.once('greet', prints('once'))
  emitter.emit('greet', 'Bob')
  line(`greet had listeners: ${emitter.emit('greet', 'Bob again')}`)

  // 3. off() needs the listener that on() was given: two functions with the
  //    same text are two listeners.
  const hello = prints('hello')
  emitter.on('greet', hello)
  emitter.off('greet', prints('hello'))
  emitter.emit('greet', 'Cleo')
  emitter.off('greet', hello)
  line(`listeners of greet: ${emitter.listenerCount('greet')}`)

  // 4. emit() copies the list first. A listener that is removed meanwhile
  //    still gets this event; one that is added gets only the next. `this` is
  //    the emitter, unless the listener is an arrow function.
  const leaving = prints('leaving')
  emitter.once('greet', function () {
    this.off('greet', leaving)
    this.on('greet', prints('new'))
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

  // 6. An error needs a listener: emit() throws it when there is none, and
  //    without a `catch` it ends the process.
  try {
    emitter.emit('error', Error('disk full'))
  } catch (error) {
    line(`unhandled error: ${error.message}`)
  }
  emitter.on('error', error => line(`alarm: ${error.message}`))
  emitter.emit('error', Error('disk full'))
}

// A listener that prints its name and the event's argument.
function prints(name) {
  return text => line(`${name}: ${text}`)
}
