// How a client shows what it receives. Rust twin: ../src/show.rs.
//
// Another server's data may be of any type: look before you use it.

import { line, shown } from '../../common/node/log.js'

const DAY = 86_400_000

/** Has `socket`'s events shown, as far as they are for people. */
export function events(socket, time) {
  socket.on('greeting', data => line(`greeting: ${text(data?.text)}`))
  for (const event of ['chat message', 'message']) {
    socket.on(event, data => {
      const where = room(' in ', data)
      line(`receive: ${text(data?.name)}${where}: ${text(data?.text)}`)
    })
  }
  for (const event of ['joined', 'left']) {
    socket.on(event, data =>
      line(`* ${text(data?.name)} ${event}${room(' ', data)}`))
  }
  if (!time) return
  socket.on('notification', data => line(`notification: ${clock(data?.time)}`))
}

/** Shows the acknowledgement of a message. */
export function answer(answer) {
  const why = refusal(answer)
  line(why === undefined ? 'acknowledged.' : `refused: ${shown(why)}`)
}

/** Why something was refused, if it was. */
export function refusal(answer) {
  return isText(answer?.error) ? answer.error : undefined
}

/** Shows who is in the room. */
export function joined(room, answer) {
  const here = Array.isArray(answer?.here) ? answer.here.filter(isText) : []
  line(`in ${shown(room)}: ${shown(here.join(', '))}`)
}

function isText(value) {
  return typeof value === 'string'
}

function text(value) {
  return isText(value) ? shown(value) : '?'
}

function room(before, data) {
  return isText(data?.room) ? before + shown(data.room) : ''
}

// A time of day, of milliseconds since 1970.
function clock(time) {
  if (!Number.isSafeInteger(time) || time < 0) return '?'
  return `${new Date(time % DAY).toISOString().slice(11, 19)} UTC`
}
