// What a parent is told. Rust twin: ../src/args.rs.

import { args } from '../../common/node/args.js'
import { setQuiet } from '../../common/node/log.js'
import { pace, ticks } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'

// How many round trips --time measures where nothing else is said.
const MANY = 100_000

/** The parent's command line. */
export function parentArgs() {
  const given = args('Says hello to a child thread through shared memory.', {
    message: { value: 'TEXT', default: 'hello', help: 'What to send' },
    ...pace,
    time: {
      help: 'Send without a pause and print only how long a round trip ' +
        `takes, of ${MANY} unless --count says otherwise`,
    },
  })
  // --time prints one line, so it is quiet as well, and so is the child.
  const quiet = given.quiet || given.time
  setQuiet(quiet)
  return {
    ...given,
    quiet,
    /** One for each message, when it is due, until `signal` is aborted. */
    turns: signal => given.time ? atOnce(given.count) : ticks(given, signal),
  }
}

function* atOnce(count) {
  const all = count === Infinity ? MANY : count
  for (let turn = 0; turn < all && !stop.aborted; turn += 1) yield turn
}
