// A client for Autobahn's cases: sends back what the server sends. It receives
// and closes as node/client.js does, which itself speaks first and so cannot be
// judged as it is.
//
//     node websocket-echo/tests/autobahn.js ws://127.0.0.1:9001 NAME

import { WebSocket } from 'ws'
import { giveUp } from '../node/closing.js'
import { receive } from '../node/heartbeat.js'
import { limits } from '../node/limits.js'

const [url, agent] = process.argv.slice(2)
const HEARTBEAT = 600_000 // none while it is judged

let count = 0
await talk('/getCaseCount', message => { count = Number(message) })
for (let number = 1; number <= count; number += 1) {
  await talk(`/runCase?case=${number}&agent=${agent}`,
    (message, isBinary, socket) => socket.send(message, { binary: isBinary }))
}
await talk(`/updateReports?agent=${agent}`, () => {})

async function talk(path, received) {
  const socket = new WebSocket(url + path, limits(16 * 1024 * 1024))
  const closed = new Promise(resolve => socket.on('close', resolve))
  try {
    for await (const [message, isBinary] of receive(socket, HEARTBEAT)) {
      received(message, isBinary, socket)
    }
  } catch (failure) {
    giveUp(failure) // what the cases are about
  }
  await closed
}
