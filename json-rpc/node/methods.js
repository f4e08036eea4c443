// What the child can do. JSON-RPC itself defines no method. Rust twin:
// ../src/methods.rs.

import { setTimeout as sleep } from 'node:timers/promises'

/**
 * What an error says: a code and a text. The codes are those of the standard;
 * those from -32000 to -32099 are free for programs, and -32800 is from
 * language servers.
 */
export class Failure extends Error {
  constructor(code, message) {
    super(message)
    this.code = code
  }
}

export const PARSE_ERROR = new Failure(-32700, 'parse error')
export const INVALID_REQUEST = new Failure(-32600, 'invalid request')
export const METHOD_NOT_FOUND = new Failure(-32601, 'method not found')
export const INVALID_PARAMS = new Failure(-32602, 'invalid params')
export const REQUEST_CANCELLED = new Failure(-32800, 'request cancelled')

/**
 * Calls the method that the request names. Those with a name from MCP are what
 * one of its clients asks for. Throws a Failure, for the client.
 */
export async function call({ method, params }, signal) {
  switch (method) {
    case 'add': return add(params)
    case 'wait': return await wait(params, signal)
    case 'initialize': return {
      capabilities: { tools: {} },
      protocolVersion: '2025-06-18',
      serverInfo: { name: 'json-rpc', version: '0.1.0' },
    }
    case 'ping': return {}
    case 'tools/list': return { tools: [{
      name: 'add',
      description: 'Adds two whole numbers',
      inputSchema: {
        type: 'object',
        properties: { a: { type: 'integer' }, b: { type: 'integer' } },
        required: ['a', 'b'],
      },
    }] }
    case 'tools/call': {
      if (params?.name !== 'add') throw INVALID_PARAMS
      const text = String(add(params.arguments))
      return { content: [{ type: 'text', text }] }
    }
    default: throw METHOD_NOT_FOUND
  }
}

// `{ "a": 2, "b": 3 }` makes 5.
function add(params) {
  const sum = params?.a + params?.b
  const numbers = [params?.a, params?.b, sum]
  if (!numbers.every(Number.isSafeInteger)) throw INVALID_PARAMS
  return sum
}

// Answers after `{ "ms": 500 }` milliseconds.
async function wait(params, signal) {
  if (!Number.isSafeInteger(params?.ms)) throw INVALID_PARAMS
  await sleep(params.ms, undefined, { signal })
  return 'done'
}
