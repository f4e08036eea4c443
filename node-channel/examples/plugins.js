// Runs plugins for a Rust tool: plugins.rs. A plugin exports a function that
// takes a text and returns problems: [{ line, text }].

import { readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'

process.on('message', async ({ plugin, path }) => {
  try {
    const { default: check } = await import(pathToFileURL(plugin))
    const problems = await check(await readFile(path, 'utf8'))
    process.send({ problems })
  } catch (error) {
    process.send({ error: String(error) })
  }
})
