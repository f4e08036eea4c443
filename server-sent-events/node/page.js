// The page that a browser shows, and 404 for everything else. Rust twin:
// ../src/page.rs.

import { readFileSync } from 'node:fs'

const PAGE = readFileSync(new URL('../page/index.html', import.meta.url))

/** Answers a request that is not for the stream. */
export function answer(asked, response) {
  if (asked === 'GET /') {
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(PAGE)
  } else {
    response.statusCode = 404
    response.end()
  }
}
