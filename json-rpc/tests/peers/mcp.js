// The Model Context Protocol's own SDK calls our child as a tool. Ends with
// status 0 when all is as promised.
//
//     node mcp.js PROGRAM [ARGUMENTS]

import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import {
  StdioClientTransport,
} from '@modelcontextprotocol/sdk/client/stdio.js'

const [command, ...args] = process.argv.slice(2)
const client = new Client({ name: 'test', version: '1.0.0' })
client.onerror = error => { throw error }
await client.connect(new StdioClientTransport({ command, args }))
assert.equal(client.getServerVersion().name, 'json-rpc')
await client.ping()

const { tools } = await client.listTools()
assert.deepEqual(tools.map(({ name }) => name), ['add'])
const answer = await client.callTool({
  name: 'add',
  arguments: { a: 2, b: 3 },
})
assert.deepEqual(answer.content, [{ type: 'text', text: '5' }])
const other = { name: 'other', arguments: {} }
await assert.rejects(client.callTool(other), { code: -32602 })
await client.close()
