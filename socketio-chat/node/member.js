// Who talks in a terminal, and where. Rust twin: ../src/member.rs.

import { EventEmitter, once } from 'node:events'
import { io } from 'socket.io-client'
import { line } from '../../common/node/log.js'
import * as show from './show.js'
import { hearLess } from './unread.js'

/** The flags of a member. */
export const flags = {
  name: { value: 'NAME', default: 'somebody', help: 'What others call you' },
  room: {
    value: 'ROOM',
    help: 'A room to join, and to talk in; else, you talk to everybody',
  },
  time: { help: 'Show the server\'s notifications of the time too' },
}

/**
 * A member of the chat. Emits 'in' whenever it has come in, also after the
 * connection was lost; 'lost'; and 'failed' with the reason when there is no
 * server, the first time, or when it refuses.
 */
export class Member extends EventEmitter {
  inside = false
  #begun = false

  constructor(url, { name, room, time }) {
    super()
    this.room = room
    // First by long polling, then by WebSocket where that works.
    this.socket = io(url, { auth: { name } })
    this.socket.on('connect_error', ({ message, description }) => {
      // active: it goes on trying. Who is refused does not.
      if (!this.socket.active) {
        this.emit('failed', `connect to ${url}: it refuses: ${message}`)
      } else if (!this.#begun) {
        const why = description?.message || message
        this.emit('failed', `connect to ${url}: ${why}`, true)
      }
    })
    this.socket.on('connect', () => line('connected.'))
    show.events(this.socket, time)
    hearLess(this.socket)
    this.socket.on('greeting', () => this.#enter())
    this.socket.on('disconnect', () => {
      this.inside = false
      this.emit('lost')
    })
  }

  // Each time: with a connection, a server forgets in which rooms its client
  // was.
  #enter() {
    if (this.room === undefined) return this.#isIn()
    // Not emitWithAck(): that throws when the connection is lost meanwhile,
    // which 'disconnect' says as well.
    this.socket.emit('join room', this.room, answer => {
      const why = show.refusal(answer)
      if (why !== undefined) {
        return this.emit('failed', `join the room: it refuses: ${why}`)
      }
      show.joined(this.room, answer)
      this.#isIn()
    })
  }

  #isIn() {
    this.inside = true
    this.#begun = true
    this.emit('in')
  }

  /**
   * Says something, in the room or to all, and calls `answered` when the
   * server has it.
   */
  say(text, answered) {
    if (this.room === undefined) {
      this.socket.emit('chat message', text, answered)
    } else {
      this.socket.emit('message', { room: this.room, text }, answered)
    }
  }

  /** Waits until it is in: Socket.IO would keep what is said before. */
  async entered() {
    if (!this.inside) await once(this, 'in')
  }

  /** Tries to come in again. Socket.IO does, unless the server said goodbye. */
  enterAgain() {
    if (!this.socket.active) this.socket.connect()
  }

  leave() {
    this.socket.disconnect()
  }
}
