// How a client shows what it receives. Rust twin: ../src/show.rs.
//
// Another server's data may be of any type: look before you use it.

import { line, shown } from '../../common/node/log.js'
import { Refusal } from './session.js'

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

/** Shows who is in the room. Throws when we are not let in. */
export function joined(room, answer) {
  const why = refusal(answer)
  if (why !== undefined) throw new Refusal(why)
  const here = Array.isArray(answer?.here) ? answer.here.filter(isText) : []
  line(`in ${shown(room)}: ${shown(here.join(', '))}`)
}

// Why something was refused, if it was.
function refusal(answer) {
  return isText(answer?.error) ? answer.error : undefined
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
