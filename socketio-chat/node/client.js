// Chat client for a terminal: says what you type, shows what others say.
//
// Rust twin: ../src/bin/client.rs. Other half: server.js.
//
//     node socketio-chat/node/client.js
//     node socketio-chat/node/client.js --name Ada --room lobby

import { args } from '../../common/node/args.js'
import { error, line, shown, untilRead } from '../../common/node/log.js'
import { pace } from '../../common/node/pace.js'
import { stop } from '../../common/node/shutdown.js'
import { Member, flags } from './member.js'
import * as show from './show.js'
import { texts } from './texts.js'

const ADVICE = 'start the server first: node socketio-chat/node/server.js'
const { url, ...rest } = args(
  'Says what you type in a chat, and shows what the others say.', {
    url: {
      positional: true,
      default: 'http://127.0.0.1:3000',
      help: 'Where the server listens',
    },
    ...flags,
    message: { value: 'TEXT', help: 'Say this at a pace, not what is typed' },
    ...pace,
  })

// 1. Connect, and come in. The first time, it is an error when nobody is
//    there: then no server was started.
const me = new Member(url, rest)
const over = new AbortController()
me.on('failed', (why, absent) => fail(absent ? `${why}; ${ADVICE}` : why))
stop.addEventListener('abort', () => me.inside || leave())

// 2. Talk, until all is said or Ctrl-C.
me.once('in', talk)
let ended = false

// 3. Say and hear at once: what others say is shown whenever it comes.
//    The server answers each text. That it has been sent says little: until
//    the answer is here, the connection may still be lost.
let unanswered = 0
async function talk() {
  for await (const text of texts(rest, over.signal)) {
    await untilRead()
    await me.entered()
    line(`send: ${shown(text)}`)
    unanswered += 1
    me.say(text, answer => {
      show.answer(answer)
      unanswered -= 1
      if (ended && unanswered === 0) leave()
    })
  }
  ended = true
  if (unanswered === 0) leave()
}

// 4. The connection is lost, and with it what was on its way: in the end, that
//    is a failure. Try to come in again, unless we were about to leave.
let lost = false
me.on('lost', () => {
  if (over.signal.aborted) return
  line('disconnected: trying again')
  lost ||= unanswered > 0
  unanswered = 0
  if (ended) return leave()
  me.enterAgain()
})

// 5. All is said and answered: leave.
function leave() {
  if (over.signal.aborted) return
  const { inside } = me
  over.abort()
  me.leave()
  if (inside) line('disconnected.')
  if (lost) fail('something on its way was lost')
}

function fail(why) {
  error(`Error: ${why}`)
  process.exitCode = 1
  over.abort()
  me.leave()
}
