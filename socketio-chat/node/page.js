// The page that a browser gets, with all it needs: nothing comes from another
// site. Rust twin: ../src/page.rs.

import { readFileSync } from 'node:fs'

// What the browser is told to load and to connect to: only this server.
// Should a message ever get into the page as code, it would not run.
const POLICY = `default-src 'none'; script-src 'self'; style-src 'self'; \
img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
frame-ancestors 'none'`

const TEXT = 'text/plain; charset=utf-8'

const FILES = new Map([
  ['/', ['text/html', 'index.html']],
  ['/chat.css', ['text/css', 'chat.css']],
  ['/chat.js', ['text/javascript', 'chat.js']],
  ['/texts.js', ['text/javascript', 'texts.js']],
  ['/icon.svg', ['image/svg+xml', 'icon.svg']],
  // Version 4.8.4, as npm has it: see socket.io.LICENSE beside it.
  ['/socket.io.min.js', ['text/javascript', 'socket.io.min.js']],
])

function read([type, name]) {
  const there = new URL(`../page/${name}`, import.meta.url)
  return { type: `${type}; charset=utf-8`, text: readFileSync(there) }
}

/** Answers a request that is not for Socket.IO. */
export function answer(request, response) {
  const found = FILES.get(request.url.split('?')[0])
  const reads = ['GET', 'HEAD'].includes(request.method)
  const [status, { type, text }] =
    !found ? [404, { type: TEXT, text: 'there is no such page\n' }]
    : !reads ? [405, { type: TEXT, text: 'this is only read\n' }]
    : [200, read(found)]
  if (status === 405) response.setHeader('allow', 'GET, HEAD')
  response.writeHead(status, {
    'content-type': type,
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    // Asked for each time: the page must fit the server that runs now.
    'cache-control': 'no-cache',
  })
  response.end(text)
}
