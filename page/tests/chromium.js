// Chromium for the tests and the pictures.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'

// What drives a browser is among socketio-chat's packages.
const require = createRequire(new URL('../../socketio-chat/', import.meta.url))
const { chromium } = require('playwright-core')

/** The file of a package that is there. */
export const file = name => require.resolve(name)

/** Starts a Chromium that asks for nothing by itself. */
export function launch() {
  const executablePath = process.env.PATH.split(delimiter)
    .map(place => join(place, 'chromium')).find(existsSync)
  return chromium.launch({
    executablePath,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
      '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  })
}
