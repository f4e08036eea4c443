// The child: reads lines from its stdin and answers each on its stdout.
//
// Rust twin: ../src/bin/child.rs. Other half: parent.js, which starts this.
//
//     node stdio-ipc/node/parent.js
//     node stdio-ipc/node/child.js          # alone: type lines, then Ctrl-D

import { args } from '../../common/node/args.js'
import { Lines } from '../../common/node/lines.js'
import { holdBack, line } from '../../common/node/log.js'

args('Answers each line from its parent.', {})
const { stdin } = process

// 1. Read what comes, until the parent closes its end. One 'data' is not
//    one line: it may hold half of one, or three.
const lines = new Lines()
stdin.on('data', bytes => {
  lines.feed(bytes, answer)

  // Perhaps the parent does not read. Then stop reading from it until it
  // does, or the queue grows without end.
  holdBack(stdin)
})

// 2. Answer one line.
function answer(text) {
  line(`Received from parent: ${text}`)
  line('Hello from child')
}

// 3. The end: also when the parent was killed, so no child is left behind.
//    A last line need not have a line end.
stdin.on('end', () => {
  lines.finish(answer)
  line('Parent closed stdin')
})
