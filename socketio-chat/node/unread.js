// A server whose own lines nobody reads. Rust's has nothing like this: there,
// whoever prints a line waits until it is written.

const { stdout } = process

/**
 * Takes nothing from any client while nobody reads our stdout: the lines would
 * fill the memory.
 */
export function holdBack(engine) {
  // Long polling, and who comes.
  engine.use((request, _, next) => {
    if (!stdout.writableNeedDrain) return next()
    const go = () => next()
    stdout.once('drain', go)
    request.on('close', () => stdout.off('drain', go))
  })
  engine.on('connection', connection => connection.on('packet', () => {
    const { socket } = connection.transport // of WebSocket; else, none
    if (!socket || !stdout.writableNeedDrain || socket.isPaused) return
    socket.pause()
    stdout.once('drain', () => socket.resume())
  }))
}
