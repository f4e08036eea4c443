// The child that a parent starts with its memory, and how the parent hears
// of its end. Rust twin: ../src/family.rs.

import { Worker } from 'node:worker_threads'
import { line } from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'
import { wakeUp } from './memory.js'

/**
 * Starts the child. From here on, nobody waits for it any longer than it
 * lives, nor after Ctrl-C. Answers a signal, aborted at its end.
 */
export function start(memory, quiet, fail) {
  const child = new Worker(new URL('child.js', import.meta.url), {
    workerData: { buffer: memory.buffer, quiet },
  })
  const ended = new AbortController()
  child.on('message', line) // its lines: see child.js
  child.on('error', fail)
  child.on('exit', code => {
    ended.abort()
    wakeUp(memory, Error('the child is gone'))
    line(`Child exited with code ${code}`)
  })
  stop.addEventListener('abort', () => wakeUp(memory, Error('stopped')))
  return ended.signal
}
