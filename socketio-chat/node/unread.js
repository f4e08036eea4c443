// What is done while nobody reads our stdout: the lines would fill the memory.
// Rust has nothing like this: there, whoever prints a line waits until it is
// written.

import { whenRead } from '../../common/node/log.js'

const { stdout } = process

/** Has a server take nothing from any client meanwhile. */
export function holdBack(engine) {
  // Long polling, and who comes.
  engine.use((request, _, next) => whenRead(request, () => next()))
  engine.on('connection', connection =>
    connection.on('packet', () => pause(connection.transport.socket)))
}

/** Has a client hear nothing more meanwhile, if it has a WebSocket. */
export function hearLess(socket) {
  socket.onAny(() => pause(socket.io.engine.transport.ws))
}

function pause(webSocket) {
  // Long polling has none.
  if (!webSocket || !stdout.writableNeedDrain || webSocket.isPaused) return
  webSocket.pause()
  stdout.once('drain', () => webSocket.resume())
}
