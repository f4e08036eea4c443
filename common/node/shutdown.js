// One way to stop, for every program. Rust twin: ../src/shutdown.rs.

// Whoever types Ctrl-C wants the program to be gone within two seconds.
const PATIENCE = 1000

const controller = new AbortController()

/**
 * An AbortSignal, aborted on Ctrl-C, on SIGTERM, and when nobody reads
 * stdout any more. Whoever imports it decides himself how the program ends;
 * what has not ended after a second ends with the program.
 */
export const stop = controller.signal

/** As if Ctrl-C had been typed. */
export function stopNow() {
  controller.abort()
}

process.on('SIGINT', stopNow)
process.on('SIGTERM', stopNow)
stop.addEventListener('abort', () => {
  setTimeout(() => process.exit(), PATIENCE).unref()
})

/**
 * Calls `run` shortly before the program ends after all: what should have
 * ended by itself by now, has to be ended.
 */
export function overdue(run) {
  stop.addEventListener('abort', () => setTimeout(run, PATIENCE * 0.8).unref())
}
