// Receives, with a heartbeat: notices a peer that is frozen or unreachable.
// Rust twin: ../src/heartbeat.rs.

import { on } from 'node:events'
import { error } from '../../common/node/log.js'

/**
 * Receives messages, each as `[message, isBinary]`: an async iterator, which
 * ends with the connection. After a silence of `heartbeat` milliseconds, pings
 * the other side: anything that arrives then is a sign of life. When nothing
 * does for the same time again, terminates the connection.
 */
export function receive(socket, heartbeat) {
  let isPinged = false
  const silence = setInterval(() => {
    if (isPinged) {
      error('socket: no pong')
      return socket.terminate()
    }
    socket.ping()
    isPinged = true
  }, heartbeat)
  const heard = () => {
    isPinged = false
    silence.refresh()
  }
  socket.on('message', heard)
  socket.on('ping', heard)
  socket.on('pong', heard)
  socket.on('close', () => clearInterval(silence))
  // on() queues the messages that come while nobody asks for one. With more
  // than one in its queue, it pauses the socket.
  return on(socket, 'message', {
    close: ['close'], // ends the iterator
    highWaterMark: 1,
    lowWaterMark: 1,
  })
}
