// What to do when a package from npm is not installed.

import { relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fail } from './log.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * `await import('redis').catch(missing)`: when the package is not there, ends
 * the program with one line that says what to type.
 */
export function missing(error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
  const [lesson] = relative(ROOT, process.argv[1]).split(sep)
  const [, name] = /package '([^']+)'/.exec(error.message) ?? []
  fail(Error(`the package ${name} is not installed: type ` +
    `npm ci --prefix ${lesson}`))
}
