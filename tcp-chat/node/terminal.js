// What the user types, and what the user sees. Rust twin:
// ../src/terminal.rs.

import {
  clearScreenDown, createInterface, cursorTo, moveCursor,
} from 'node:readline'
import { line } from '../../common/node/log.js'

const { stdin, stdout } = process

/**
 * Sends what is typed to `socket`, and answers with a screen: `line(text)`
 * shows a line, `close()` gives the terminal back. `leave` is called when
 * the user has enough.
 *
 * Where both stdin and stdout are a terminal, there is a line editor with a
 * history. Elsewhere bytes go through as they are.
 */
export function open(socket, leave) {
  const isTerminal =
    stdin.isTTY && stdout.isTTY && process.env.TERM !== 'dumb'
  return isTerminal ? edit(socket, leave) : passThrough(socket)
}

function passThrough(socket) {
  // Waits where the server does not read, and ends our direction with the
  // pipe's end.
  stdin.pipe(socket)
  return { line, close: () => stdin.destroy() }
}

function edit(socket, leave) {
  const editor = createInterface({ input: stdin, output: stdout, prompt: '> ' })
  let isOpen = true
  editor.on('line', text => {
    socket.write(`${text}\n`)
    editor.prompt()
  })
  // In the editor, Ctrl-C is a key like any other. Ctrl-D closes it.
  editor.on('SIGINT', leave)
  editor.on('close', () => {
    if (!isOpen) return
    isOpen = false
    stdout.write('\n')
    leave()
  })
  editor.prompt()
  return {
    line(text) {
      if (!isOpen) return line(text)
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
      if (!isOpen) return
      isOpen = false
      stdout.write('\n')
      editor.close()
    },
  }
}
