// One way to stop, for every program. Rust twin: ../src/shutdown.rs.

import { setMaxListeners } from 'node:events'

// How long a program waits for what is still being written.
const PATIENCE = 1000

// When the program ends whatever it is still at: who types Ctrl-C wants it to
// be gone within two seconds.
const LIMIT = 1500

const controller = new AbortController()

/**
 * An AbortSignal, aborted on Ctrl-C, on SIGTERM, and when nobody reads
 * stdout any more. Whoever imports it decides himself how the program ends;
 * what has not ended after one and a half seconds ends with the program.
 */
export const stop = controller.signal
setMaxListeners(0, stop) // one for each connection

/** As if Ctrl-C had been typed. */
export function stopNow() {
  controller.abort()
}

process.on('SIGINT', stopNow)
process.on('SIGTERM', stopNow)
stop.addEventListener('abort', () => {
  setTimeout(() => process.exit(), LIMIT).unref()
})

/**
 * What `promise` answers; throws when a second after `stop` it has not. For
 * what a server may never answer: the program's end should say that nobody
 * knows.
 */
export async function unlessOverdue(promise) {
  let stopped
  const late = new Promise((_, reject) => {
    const giveUp = () => reject(Error('no answer'))
    stopped = () => setTimeout(giveUp, PATIENCE).unref()
    stop.addEventListener('abort', stopped)
    if (stop.aborted) stopped()
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    stop.removeEventListener('abort', stopped)
  }
}

/**
 * Calls `run` a second after `stop`: what should have ended by itself by now,
 * has to be ended. There is just time for it.
 */
export function overdue(run) {
  stop.addEventListener('abort', () => setTimeout(run, PATIENCE).unref())
}
