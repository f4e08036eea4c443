// The TLS below HTTPS. Rust twin: ../src/tls.rs.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as log from '../../common/node/log.js'
import { stop } from '../../common/node/shutdown.js'

const here = path => fileURLToPath(new URL(path, import.meta.url))

/** `--tls` and `--certs`, the same for both halves. */
export const tls = {
  tls: { help: 'Speak HTTPS; the port is 8443, unless given' },
  certs: {
    value: 'FOLDER',
    help: 'Where the certificates are; the server makes them there',
    parse: folder => folder ?? here('../../target/http-echo-tls'),
  },
}

/**
 * As `createServer`, and through TLS. Clients choose HTTP/2 or HTTP/1.1 in
 * the handshake (ALPN). Makes the certificates when this is the first start.
 */
export function createSecure({ certs, ...options }) {
  if (!existsSync(join(certs, 'ca.pem'))) make(certs)
  const server = createSecureServer({
    ...options,
    cert: readFileSync(join(certs, 'leaf.pem')),
    key: readFileSync(join(certs, 'leaf-key.pem')),
    allowHTTP1: true,
  })
  // close() knows nothing of HTTP/2's connections. Told to, they take no more
  // requests, finish their answers, and end.
  const sessions = new Set()
  server.on('session', session => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
  })
  stop.addEventListener('abort', () => sessions.forEach(s => s.close()))
  // For HTTP/1.1 it takes these from here.
  return Object.assign(server, options)
}

// Node can check certificates, but not make one.
function make(folder) {
  const { status, error, stderr } = spawnSync('cargo',
    ['run', '--quiet', '-p', 'http-echo', '--bin', 'certs', '--', '--keep',
      resolve(folder)],
    { cwd: here('..'), encoding: 'utf8' })
  if (status !== 0) {
    log.error(`Error: make certificates in ${folder}: ${error ?? stderr}`)
    process.exit(1)
  }
}

/** For a client: this CA and no other. The checks are all made. */
export function trust(certs) {
  try {
    return { ca: readFileSync(join(certs, 'ca.pem')) }
  } catch ({ message }) {
    log.error(`Error: ${message}; the server makes it: ` +
      'node http-echo/node/server.js --tls')
    process.exit(1)
  }
}
