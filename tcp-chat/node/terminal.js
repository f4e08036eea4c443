// What the user types, and what the user sees. Rust twin:
// ../src/terminal.rs.

import { once } from 'node:events'
import {
  clearScreenDown, createInterface, cursorTo, moveCursor,
} from 'node:readline'
import { line } from '../../common/node/log.js'
import { requestStop } from '../../common/node/shutdown.js'

const { stdin, stdout } = process

/**
 * Begins to read what is typed. `for await (const bytes of input)` reads it;
 * `await screen.show(text)` shows a line, `screen.close()` gives the terminal
 * back. In the editor, Ctrl-C and Ctrl-D abort `stop`; Ctrl-D, once all that
 * was typed is sent.
 *
 * Where both stdin and stdout are a terminal, there is a line editor with a
 * history. Elsewhere bytes go through as they are.
 */
export function openTerminal() {
  const isTerminal =
    stdin.isTTY && stdout.isTTY && process.env.TERM !== 'dumb'
  return isTerminal ? edit() : {
    input: stdin,
    screen: { show, close: () => stdin.destroy() },
  }
}

// Waits while nobody reads our stdout: what waits there has no bound.
async function show(text) {
  line(text)
  if (stdout.writableNeedDrain) await once(stdout, 'drain')
}

function edit() {
  const editor = createInterface({ input: stdin, output: stdout, prompt: '> ' })
  // In the editor, Ctrl-C is a key like any other.
  editor.on('SIGINT', requestStop)
  const screen = {
    show(text) {
      if (editor.closed) return line(text)
      // The line being typed may take several rows, and the cursor may be
      // in any of them. Remove it; show the text; draw it again below.
      const { rows } = editor.getCursorPos()
      moveCursor(stdout, 0, -rows)
      cursorTo(stdout, 0)
      clearScreenDown(stdout)
      stdout.write(`${text}\n`)
      editor.prevRows = 0 // or prompt() would go up to where it was before
      editor.prompt(true)
    },
    close() {
      stdout.write('\n')
      editor.close()
    },
  }
  return { input: typed(editor), screen }
}

async function* typed(editor) {
  editor.on('line', () => editor.prompt())
  editor.prompt()
  for await (const line of editor) yield `${line}\n`
  requestStop() // Ctrl-D
}
