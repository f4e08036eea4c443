// The child: reads lines from its stdin and answers each on its stdout.
//
// Rust twin: ../src/bin/child.rs. Other half: parent.js, which starts this.
// The framing: lines.js.
//
//     node stdio-ipc/node/parent.js
//     node stdio-ipc/node/child.js          # alone: type lines, then Ctrl-D
//
// Try this: `seq 3 | node stdio-ipc/node/child.js`.

import { args } from '../../common/node/args.js'
import { fail, line, shown } from '../../common/node/log.js'
import { lines } from './lines.js'

args('Answers each line from its parent.', {})

main().catch(fail) // prints the error, and ends with status 1

// Ctrl-C does not end us at once: the parent closes stdin, and we read the end
// of it. (shutdown.js, which log.js imports, ends us after 1.5 seconds.)
async function main() {
  // 1. Receive lines until the parent closes its end of the pipe. (Rust needs a
  //    thread for that: reading stdin blocks there.)
  await receive()

  // 2. The end. It also comes when the parent was killed, as the system
  //    closes its ends of the pipes: no child is left behind.
  line('Parent closed stdin')
}

// 3. Receives lines, and answers each.
async function receive() {
  for await (const text of lines(process.stdin)) await answer(text)
}

// 4. Answers one line: stdout is the pipe to the parent, so what line() prints
//    is the answer. Back-pressure: while the parent does not read, this waits,
//    and we read nothing more from it. Otherwise Node would queue the answers.
async function answer(text) {
  line(`Received from parent: ${shown(text)}\nHello from child`)
  const { stdout } = process
  if (stdout.writableNeedDrain) {
    // Not once(), which would throw an error of stdout: log.js handles it.
    await new Promise(resolve => stdout.once('drain', resolve))
  }
}
