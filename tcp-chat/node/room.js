// Who is there, and the one place where all that is said gets its order.
// Rust twin: ../src/room.rs.

import { CONTROL, line, shown, untilRead } from '../../common/node/log.js'
import { LONGEST, NOT_UTF8, TOO_LONG } from './lines.js'
import { Queue } from './queue.js'

// How long somebody who has left may take to read the rest.
const PATIENCE = 10_000

// The longest name, in characters.
const LONGEST_NAME = 24

// Letters and digits, but not those that show nothing at all.
const NAME = /^(?:(?![\u115f\u1160\u3164\uffa0])[\p{Alphabetic}\p{N}_-])+$/u

/** Everybody who is connected. */
export class Room {
  members = new Set()

  /** Takes a client in. Its name is its address until it chooses one. */
  join(address, overdue) {
    const member = new Member(this, address, overdue)
    this.members.add(member)
    this.tellAll(`* ${address} joined`)
    return member
  }

  /**
   * Puts a line into every queue, before anybody else can put in theirs: so
   * everybody hears all lines in one order. Nobody is waited for: a client
   * whose queue is full loses its place, and the others are told.
   */
  tellAll(text) {
    const texts = [text]
    for (const text of texts) {
      line(shown(text))
      const bytes = Buffer.from(`${text}\n`)
      for (const member of this.members) {
        if (member.queue.push(bytes)) continue
        this.members.delete(member)
        member.queue.endWith(
          Buffer.from('* you fell too far behind: goodbye\n'))
        member.gone()
        texts.push(`* ${member.name} fell too far behind`)
      }
    }
  }
}

/** One client's place in the room. */
class Member {
  queue = new Queue()

  constructor(room, name, overdue) {
    this.room = room
    this.name = name
    this.overdue = overdue
  }

  /**
   * Takes one line from this client: a name, or words for everybody.
   *
   * Waits while much of what it has still to be sent is unread: who does not
   * read is not listened to, and so cannot flood itself out. Nor is anybody
   * while nobody reads our own lines: they would fill the memory.
   */
  async say(line) {
    await this.queue.halfEmpty()
    await untilRead()
    if (!this.room.members.has(this)) return // it has lost its place
    let refused
    if (line === TOO_LONG) {
      refused = `* not sent: a line may have ${LONGEST} bytes`
    } else if (line === NOT_UTF8) {
      refused = '* not sent: a line must be UTF-8'
    } else if (line === '/name' || line.startsWith('/name ')) {
      refused = this.#rename(line.slice('/name'.length).trim())
    } else if (line !== '') {
      // Also those who listen with a plain `nc` must be safe.
      this.room.tellAll(`${this.name}: ${line.replace(CONTROL, ' ')}`)
    }
    // Half of its queue is free.
    if (refused) this.queue.push(Buffer.from(`${refused}\n`))
  }

  #rename(name) {
    if (!NAME.test(name) || Array.from(name).length > LONGEST_NAME) {
      return `* not a name: 1 to ${LONGEST_NAME} letters, digits, - or _`
    }
    // "ada" beside "Ada" is for deceiving people.
    const key = name.toLowerCase()
    const taken = [...this.room.members].some(other =>
      other !== this && other.name.toLowerCase() === key)
    if (taken || key === 'server') return `* the name ${name} is taken`
    const before = this.name
    this.name = name
    this.room.tellAll(`* ${before} is now ${name}`)
  }

  /** Gives up the place; the others are told. */
  leave() {
    if (!this.room.members.delete(this)) return
    this.room.tellAll(`* ${this.name} left`)
    this.queue.end()
    this.gone()
  }

  /** It has left, or was dropped: has it the patience to read the rest? */
  gone() {
    this.timer = setTimeout(this.overdue, PATIENCE)
  }
}
