// The first version of an emitter. Rust twin: emitter.rs.

import { EventEmitter } from 'node:events'

const emitter = new EventEmitter()
emitter.on('greet', name => console.log(`hello ${name}`))
emitter.on('greet', name => console.log(`welcome ${name}`))
emitter.emit('greet', 'Ada')
