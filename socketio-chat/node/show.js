// What a client shows of what it hears. Rust twin: ../src/show.rs.

import { line, shown } from '../../common/node/log.js'

/** Has `socket`'s events shown, as far as they are for people. */
export function events(socket, time) {
  socket.on('greeting', ({ text }) => line(`greeting: ${shown(text)}`))
  for (const event of ['chat message', 'message']) {
    socket.on(event, ({ name, room, text }) => {
      const where = room === undefined ? '' : ` in ${shown(room)}`
      line(`receive: ${shown(name)}${where}: ${shown(text)}`)
    })
  }
  for (const event of ['joined', 'left']) {
    socket.on(event, ({ name, room }) => {
      const where = room === undefined ? '' : ` ${shown(room)}`
      line(`* ${shown(name)} ${event}${where}`)
    })
  }
  if (!time) return
  socket.on('notification', ({ time }) => {
    line(`notification: ${new Date(time).toISOString().slice(11, 19)} UTC`)
  })
}

/** Shows what became of something that was said. */
export function answer({ error }) {
  line(error === undefined ? 'acknowledged.' : `refused: ${shown(error)}`)
}

/** Shows who is in the room. */
export function joined(room, { here }) {
  line(`in ${shown(room)}: ${shown(here.join(', '))}`)
}
