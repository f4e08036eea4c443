// Starts the child, and waits for its end. The lesson stdio-ipc is about this.
// Rust twin: ../src/process.rs.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { overdue } from '../../common/node/shutdown.js'

/** Starts the program that was named or, if none was, child.js. */
export async function start(program, framing) {
  const script = fileURLToPath(new URL('child.js', import.meta.url))
  const own = [process.execPath, script, '--framing', framing]
  const words = program.length > 0 ? program : own
  const [command, ...argv] = words
  try {
    const child = spawn(command, argv, { stdio: ['pipe', 'pipe', 'inherit'] })
    process.on('exit', () => child.kill()) // should we fail: not left behind
    await once(child, 'spawn')
    return child
  } catch ({ message }) {
    throw Error(`start ${command}: ${message}`)
  }
}

/** Waits for the child's end. A second after Ctrl-C the child is killed. */
export async function wait(child, stop) {
  const exited = once(child, 'exit')
  const killed = overdue().then(() => child.kill('SIGKILL'))
  await Promise.race([exited, killed])
  const [code, signal] = await exited
  if (code !== 0 && !stop.aborted) {
    throw Error(`the child has failed: ${signal ?? `exit status: ${code}`}`)
  }
}
