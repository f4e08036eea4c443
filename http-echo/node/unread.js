// A server whose own lines nobody reads. Rust's has nothing like this: there,
// whoever prints a line waits until it is written.

import { holdBack, whenRead } from '../../common/node/log.js'

/**
 * `answer`, but not while nobody reads our stdout: the lines would fill the
 * memory. Until then no more requests are read from this client.
 */
export function heldBack(answer) {
  return (request, response) => {
    if (!process.stdout.writableNeedDrain) return answer(request, response)
    whenRead(response, () => answer(request, response))
    // Later, as Node reads on at each request's end, whoever has paused it. A
    // connection of HTTP/2 cannot be paused, but has only a hundred requests
    // at once: no more come before those are answered.
    if (request.httpVersionMajor === 1) setImmediate(holdBack, request.socket)
  }
}
