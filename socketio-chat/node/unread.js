// What is done while nobody reads our stdout: the lines would fill the memory.
// Rust has nothing like this: there, whoever prints a line waits until it is
// written.

const { stdout } = process

/** Has a server take nothing from any client meanwhile. */
export function holdBack(engine) {
  // Long polling, and who comes.
  engine.use((request, _, next) => {
    if (!stdout.writableNeedDrain) return next()
    const go = () => next()
    stdout.once('drain', go)
    request.on('close', () => stdout.off('drain', go))
  })
  engine.on('connection', connection =>
    connection.on('packet', () => pause(connection.transport.socket)))
}

/** Has a client hear nothing more meanwhile, if it has a WebSocket. */
export function hearLess(socket) {
  socket.onAny(() => pause(socket.io.engine.transport.ws))
}

/** Waits until somebody reads. */
export async function untilRead() {
  if (!stdout.writableNeedDrain) return
  await new Promise(resolve => stdout.once('drain', resolve))
}

function pause(webSocket) {
  // Long polling has none.
  if (!webSocket || !stdout.writableNeedDrain || webSocket.isPaused) return
  webSocket.pause()
  stdout.once('drain', () => webSocket.resume())
}
