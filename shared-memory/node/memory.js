// What is where in the memory that the parent makes. Rust twin:
// ../src/memory.rs.

import { Ring, RING_SIZE } from './ring.js'

/** How many bytes the memory has. */
export const SIZE = 128 + 2 * RING_SIZE

/**
 * The memory as its two users see it: the number that both change, as an array
 * of one, and a ring of messages for each direction. `wait` is how this thread
 * waits: `Atomics.wait`, or `waitAsync` below.
 */
export function views(buffer, wait) {
  return {
    number: new Int32Array(buffer, 0, 1),
    toChild: new Ring(buffer, 128, wait),
    toParent: new Ring(buffer, 128 + RING_SIZE, wait),
  }
}

/** For the main thread, whose events would wait during `Atomics.wait`. */
export function waitAsync(view, index, expected) {
  return Atomics.waitAsync(view, index, expected).value
}
