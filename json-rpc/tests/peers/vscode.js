// Microsoft's vscode-jsonrpc, as an editor uses it, calls our child. Ends with
// status 0 when all is as promised.
//
//     node vscode.js PROGRAM [ARGUMENTS]

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  CancellationTokenSource, StreamMessageReader, StreamMessageWriter,
  createMessageConnection,
} from 'vscode-jsonrpc/node'

const [program, ...words] = process.argv.slice(2)
const child = spawn(program, [...words, '--framing', 'headers'], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
const connection = createMessageConnection(
  new StreamMessageReader(child.stdout),
  new StreamMessageWriter(child.stdin))
connection.listen()

// Three at once, answered in another order.
const order = []
const call = async (name, ...params) => {
  const result = await connection.sendRequest(...params)
  order.push(name)
  return result
}
assert.deepEqual(await Promise.all([
  call('slow', 'wait', { ms: 300 }),
  call('two', 'add', { a: 1, b: 1 }),
  call('five', 'add', { a: 2, b: 3 }),
]), ['done', 2, 5])
assert.deepEqual(order, ['two', 'five', 'slow'])

await assert.rejects(connection.sendRequest('中'), { code: -32601 })
await assert.rejects(connection.sendRequest('add', { a: 1 }), { code: -32602 })

const source = new CancellationTokenSource()
const cancelled = connection.sendRequest('wait', { ms: 60000 }, source.token)
source.cancel()
await assert.rejects(cancelled, { code: -32800 })

const exited = once(child, 'exit')
child.stdin.end()
assert.deepEqual(await exited, [0, null])
connection.dispose()
