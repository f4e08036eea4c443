// A server whose own lines nobody reads. Rust's has nothing like this: there,
// whoever prints a line waits until it is written.

import { holdBack } from '../../common/node/log.js'

const { stdout } = process

/**
 * `answer`, but not while nobody reads our stdout: the lines would fill the
 * memory. Until then no more requests are read from this client.
 */
export function whenRead(answer) {
  return (request, response) => {
    if (!stdout.writableNeedDrain) return answer(request, response)
    const go = () => answer(request, response)
    stdout.once('drain', go)
    response.on('close', () => stdout.off('drain', go))
    // Later, as Node reads on at each request's end, whoever has paused it. A
    // connection of HTTP/2 cannot be paused, but has only a hundred requests
    // at once: no more come before those are answered.
    if (request.httpVersionMajor === 1) setImmediate(holdBack, request.socket)
  }
}
