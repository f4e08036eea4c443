// Runs scripts of emitter calls against Node's own EventEmitter: one script
// in JSON per line of stdin, and for each a line with what happened. See
// event_emitter.rs, which does the same with the lesson's emitter.

import { EventEmitter } from 'node:events'
import { createInterface } from 'node:readline'

const NAMES = ['a', 'b', 'error']
let log

process.emitWarning = ({ type, count }) => log.push(`warning ${count} ${type}`)

function run({ calls, reactions, calls_at_most, depth_at_most }) {
  log = []
  const emitter = new EventEmitter()
  let called = 0
  let depth = 0
  const listeners = reactions.map((reaction, i) => function (value) {
    log.push(`${i} receives ${value}`)
    called += 1
    if (this !== emitter) log.push('this is not the emitter')
    if (called > calls_at_most || depth >= depth_at_most) return
    depth += 1
    reaction.forEach(call)
    depth -= 1
  })
  function call([what, event, number]) {
    const name = NAMES[event]
    switch (what) {
      case 'on': emitter.on(name, listeners[number]); break
      case 'once': emitter.once(name, listeners[number]); break
      case 'prepend': emitter.prependListener(name, listeners[number]); break
      case 'prepend_once':
        emitter.prependOnceListener(name, listeners[number])
        break
      case 'off': emitter.off(name, listeners[number]); break
      case 'remove_all': emitter.removeAllListeners(name); break
      case 'max': emitter.setMaxListeners(number); break
      case 'count': log.push(`count ${emitter.listenerCount(name)}`); break
      case 'emit':
        try {
          log.push(`emitted ${emitter.emit(name, number)}`)
        } catch (error) {
          if (error.code !== 'ERR_UNHANDLED_ERROR') throw error
          log.push(`unhandled ${error.context}`)
        }
        break
      default: throw Error(`no call is named ${what}`)
    }
  }
  calls.forEach(call)
  return log
}

createInterface({ input: process.stdin }).on('line', line => {
  console.log(JSON.stringify(run(JSON.parse(line))))
})
