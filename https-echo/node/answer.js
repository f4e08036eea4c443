// Answers one request: what http-echo teaches. HTTP/2 has the same requests
// and responses; only their bytes differ. Rust twin: ../src/answer.rs.

import { line, shown } from '../../common/node/log.js'

// The longest body that is accepted, in bytes.
const BODY_LIMIT = 16 * 1024 * 1024

// The longest headers in bytes; HTTP/2 adds 32 for each. More gets 431. hyper
// does so by itself, over HTTP/2.
const HEADER_LIMIT = 16 * 1024

/** Reads the request's body and drops it; answers with the path. */
export async function answer(request, response) {
  const { url, rawHeaders } = request
  const size = rawHeaders.reduce((sum, text) => sum + text.length + 16, 0)
  if (size > HEADER_LIMIT) reply(response, 431, '')
  else line(`url ${shown(url)}`)

  let length = 0
  for await (const bytes of request) {
    length += bytes.length
    // Go on reading all the same: a body that is dropped half read resets its
    // stream, and the client might miss the answer.
    if (length > BODY_LIMIT && !response.headersSent) reply(response, 413, '')
  }
  if (!response.headersSent) reply(response, 200, url)
}

function reply(response, status, text) {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
  })
  response.end(text)
}
