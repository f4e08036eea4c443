// A redis-server for a reader who runs none: found or started, and stopped
// again with this program. Rust twin: ../src/broker.rs.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { line } from './log.js'

const SCRIPT = fileURLToPath(new URL('../own-redis.sh', import.meta.url))
const INSTALL = 'REDIS_URL is not set, and there is no redis-server on ' +
  'PATH: install it (apt install redis-server, brew install redis)'

/**
 * The server of REDIS_URL, or else the own one of the lesson called `lesson`,
 * which is started with `settings` where it does not run yet. Answers its
 * `url`, and `end()`, which ends a server that was started here.
 */
export async function findRedis(lesson, settings = []) {
  if (process.env.REDIS_URL) return { url: process.env.REDIS_URL, end() {} }

  // In a group of its own: Ctrl-C goes to a whole group, and the server has
  // to outlive this program's last commands.
  const script = spawn('sh', [SCRIPT, lesson, ...settings], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  // Without a shell, as on Windows, nothing is answered.
  let answer = ''
  script.on('error', () => { answer = 'missing' })
  for await (const bytes of script.stdout) {
    answer += bytes
    if (answer.includes('\n')) break
  }
  const [word, path] = answer.trimEnd().split(/ (.*)/s)
  if (word === 'missing') throw Error(INSTALL)
  if (word !== 'found' && word !== 'started') {
    throw Error('start redis-server for this lesson: it ended at once')
  }
  const url = `unix://${path}`
  if (word === 'found') return { url, end() {} }

  line(`started redis-server at ${path}`)
  // It shall not keep this program alive. When this program ends without
  // end(), the system closes the pipe, and that ends the server as well.
  script.unref()
  script.stdin.unref()
  return {
    url,
    async end() {
      const ended = once(script, 'exit')
      script.ref()
      script.stdin.end()
      await ended
    },
  }
}
