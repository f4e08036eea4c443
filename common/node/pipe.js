// The pipe of this system: a Unix socket, or a Windows named pipe. Rust
// twin: ../src/pipe.rs.

import { once } from 'node:events'
import { lstat, unlink } from 'node:fs/promises'
import net from 'node:net'

export const WINDOWS = process.platform === 'win32'

/** Where servers listen and clients connect, unless told otherwise. */
export const DEFAULT_PATH = WINDOWS ? '\\\\.\\pipe\\mypip' : '/tmp/unix.sock'

// The longest path that fits into a sockaddr_un, without the final NUL.
const LONGEST_PATH =
  ['linux', 'android'].includes(process.platform) ? 107 : 103

/**
 * Has `server` listen at `path`, which only this user can then connect to. A
 * socket file that a killed server left behind is replaced. Rejects when a
 * server lives there, when the file is not a socket, and when the path is
 * too long. Node removes the file when the server closes.
 */
export async function listen(server, path) {
  const wrong = wrongLength(path)
  if (wrong) throw wrong
  if (!WINDOWS) await removeStale(path)
  // Nobody else may connect, not even in the instant between listen() and a
  // chmod() that would come after it. The file is made before listen()
  // returns.
  const before = process.umask(0o177)
  try {
    server.listen({ path })
  } finally {
    process.umask(before)
  }
  await once(server, 'listening')
}

/** Connects to the server at `path`: the socket has 'connect' or 'error'. */
export function connect(path) {
  const wrong = wrongLength(path)
  return wrong ? new net.Socket().destroy(wrong) : net.connect({ path })
}

// Some versions of Node cut a long path off without a word.
function wrongLength(path) {
  const length = Buffer.byteLength(path)
  if (length === 0) return Error('the path is empty')
  return !WINDOWS && length > LONGEST_PATH && Error(
    `the path has ${length} bytes; a Unix socket's has at most ${LONGEST_PATH}`)
}

/** Makes room at `path`, but only where nobody can miss the file. */
async function removeStale(path) {
  const found = await lstat(path).catch(error => {
    if (error.code !== 'ENOENT') throw error
  })
  if (!found) return
  if (!found.isSocket()) {
    throw Error('a file that is not a socket is there; it is left alone')
  }
  const probe = net.connect({ path })
  try {
    await once(probe, 'connect')
  } catch (error) {
    if (error.code === 'ECONNREFUSED') return unlink(path) // only the dead do
    if (error.code === 'ENOENT') return // its server has just removed it
    throw error
  } finally {
    probe.destroy()
  }
  throw Error('another server is listening there')
}
