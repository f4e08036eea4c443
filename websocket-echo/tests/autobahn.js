// A client for Autobahn's cases: sends back what the server sends. With the
// limits of node/client.js, which itself speaks first.
//
//     node websocket-echo/tests/autobahn.js ws://127.0.0.1:9001 NAME

import { WebSocket } from 'ws'
import { limits } from '../node/limits.js'

const [url, agent] = process.argv.slice(2)

let count = 0
await talk('/getCaseCount', message => { count = Number(message) })
for (let number = 1; number <= count; number += 1) {
  await talk(`/runCase?case=${number}&agent=${agent}`,
    (message, isBinary, socket) => socket.send(message, { binary: isBinary }))
}
await talk(`/updateReports?agent=${agent}`, () => {})

function talk(path, received) {
  return new Promise(resolve => {
    const socket = new WebSocket(url + path, limits(16 * 1024 * 1024))
    socket.on('message', (message, isBinary) =>
      received(message, isBinary, socket))
    socket.on('error', () => {}) // what the cases are about
    socket.on('close', resolve)
  })
}
