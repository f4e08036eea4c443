// The memory that the parent makes, and where things are in it. Rust twin:
// ../src/memory.rs.

import { Ring, SIZE } from './ring.js'

/** Zeros: ready for use. */
export function create() {
  return new SharedArrayBuffer(128 + 2 * SIZE)
}

/**
 * What is in it: the number that both see, as an array of one, and a ring
 * for each direction. `wait` is how this thread waits: see ring.js.
 */
export function views(buffer, wait) {
  return {
    buffer,
    number: new Int32Array(buffer, 0, 1),
    toChild: new Ring(buffer, 128, wait),
    toParent: new Ring(buffer, 128 + SIZE, wait),
  }
}

/** For a thread that may block: not the main one, whose events would wait. */
export function sleep(view, index, expected) {
  Atomics.wait(view, index, expected)
}

/** For the main thread: `await` it. */
export function sleepAsync(view, index, expected) {
  return Atomics.waitAsync(view, index, expected).value
}

/** Wherever this thread waits, there is nothing to wait for any more. */
export function wakeUp({ number, toChild, toParent }, why) {
  toChild.fail(why)
  toParent.fail(why)
  Atomics.notify(number, 0)
}
