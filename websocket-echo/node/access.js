// Who may connect: the pages of which sites, and with which token. What
// everybody else gets is plain HTTP. Rust twin: ../src/access.rs.

import { readFileSync } from 'node:fs'
import { ServerResponse, STATUS_CODES } from 'node:http'
import { error } from '../../common/node/log.js'

let page // what a browser shows

/** The server's flags for it. */
export const accessFlags = {
  origin: {
    value: 'URL',
    multiple: true,
    default: [],
    help: 'A site whose pages may connect, like https://example.org',
  },
  token: {
    value: 'FILE',
    help: 'A file with the token that clients must give; read for each',
  },
}

/** Lets the pages connect that the server at `address` serves itself. */
export function allowOwnPages({ origin }, address) {
  const port = address.split(':').at(-1)
  origin.push(`http://${address}`, `http://localhost:${port}`)
  // Read it now: later, all file descriptors may be in use.
  page = readFileSync(new URL('../page/index.html', import.meta.url))
}

/**
 * The status of the answer: 101 for a client that may connect, 403 for the
 * page of another site, 401 without the right token. For a request that wants
 * no WebSocket, 200 with the page, or 426.
 */
export function status(access, request) {
  if (!wantsWebSocket(request)) {
    const [path] = request.url.split('?')
    return path === '/' ? 200 : 426
  }
  // The same-origin policy does not apply to WebSockets: a browser lets the
  // page of any site connect, and only says which. Programs send no Origin.
  const { origin } = request.headers
  if (origin !== undefined && !access.origin.includes(origin)) return 403
  try {
    return hasToken(access, request) ? 101 : 401
  } catch ({ message }) {
    error(message)
    return 500
  }
}

/** Answers with this status, which is no upgrade. 200: the page. */
export function reply(response, status) {
  response.statusCode = status
  response.setHeader('content-type', 'text/html; charset=utf-8')
  response.setHeader('upgrade', 'websocket') // what else this server speaks
  const text = `${status} ${STATUS_CODES[status]}\n`
  response.end(status === 200 ? page : text)
}

/** As reply(), after Node has given up the request's socket to us. */
export function refuse(request, socket, status) {
  const response = new ServerResponse(request)
  response.assignSocket(socket)
  response.shouldKeepAlive = false
  response.on('finish', () => socket.destroySoon())
  socket.on('error', () => {}) // the client is gone already
  reply(response, status)
}

/**
 * The URL for the client's next connection: with the token that is in `file`
 * now. A browser cannot add a header, so a token stands in the URL.
 */
export function withToken(url, file) {
  return file === undefined ? url : `${url}/?token=${read(file)}`
}

// 16 bytes in base64, which the client has chosen at random.
const KEY = /^[+/0-9A-Za-z]{22}==$/

// Does it ask for an upgrade to a WebSocket, in its only version?
function wantsWebSocket({ headers }) {
  const { connection = '', upgrade = '' } = headers
  const { 'sec-websocket-key': key, 'sec-websocket-version': version } = headers
  return connection.toLowerCase().includes('upgrade') &&
    upgrade.toLowerCase() === 'websocket' &&
    version === '13' && KEY.test(key)
}

// Is the token in the request's URL? An empty one never is; where none is
// needed, all is well.
function hasToken({ token: file }, request) {
  if (file === undefined) return true
  const token = read(file)
  const [, query = ''] = request.url.split('?')
  return token !== '' && query.split('&').includes(`token=${token}`)
}

// The token that is in the file.
function read(file) {
  return readFileSync(file, 'utf8').trim()
}
