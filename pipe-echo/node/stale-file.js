// The file of a server that no longer runs. Rust twin: ../src/stale_file.rs.

import { once } from 'node:events'
import { lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'

/** Removes the file of a server that was killed. Deletes nothing else. */
export async function removeStaleFile(path) {
  const file = await lstat(path).catch(() => undefined)
  if (!file) return // nothing is there
  if (!file.isSocket()) {
    throw Error(`listen on ${path}: it is not a socket, and is left alone`)
  }
  // Does a server still listen there? If not, connecting is refused. If one
  // does, it sees a client come and go.
  const probe = connect({ path })
  try {
    await once(probe, 'connect')
  } catch ({ code, message }) {
    if (code === 'ECONNREFUSED') return unlink(path)
    // Another user's: we cannot know.
    if (code === 'EACCES') throw Error(`listen on ${path}: ${message}`)
  }
  probe.destroy()
  throw Error(`listen on ${path}: another server is listening there`)
}
