// The certificates. Node can check one, but not make one: this runs the Rust
// program that does. Rust twin: ../src/certs.rs.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where they are, unless another folder is given. */
export const FOLDER =
  fileURLToPath(new URL('../../target/https-echo', import.meta.url))

/** Makes certificates in `folder`, unless they are there. */
export function makeIfMissing(folder) {
  if (existsSync(join(folder, 'ca.pem'))) return
  const { status, error, stderr } = spawnSync('cargo', [
    'run', '--quiet', '-p', 'https-echo', '--bin', 'certs', '--',
    '--keep', resolve(folder),
  ], { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8' })
  if (status !== 0) {
    throw Error(`cargo run -p https-echo --bin certs: ${error ?? stderr}`)
  }
}
