// Who is in the chat, and the one place where all lines get their order.
// Rust twin: ../src/room.rs.

import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { escaped, line, shown } from '../../common/node/log.js'

// How many lines can wait for one client.
const CAPACITY = 1024

// The longest name, in characters.
const LONGEST_NAME = 24

// Letters and digits, but not those that show nothing.
const NAME = /^(?:(?![\u115f\u1160\u3164\uffa0])[\p{Alphabetic}\p{N}_-])+$/u

/** Everybody who is connected. */
export class Room {
  #clients = new Set()

  /** Takes a client in. Its name is its address until it chooses one. */
  join(name) {
    // Not the socket's own queue: that has no bound. objectMode: count lines,
    // not bytes. Half full, it wants a 'drain', which comes when it is empty.
    const queue = new PassThrough(
      { objectMode: true, writableHighWaterMark: CAPACITY / 2 })
    const client = { name, queue }
    this.#clients.add(client)
    this.#broadcast(`* ${name} joined`)
    return client
  }

  /**
   * Gives up the client's place, and tells the others. What waits in its
   * queue is still sent.
   */
  leave(client) {
    if (!this.#clients.delete(client)) return
    this.#broadcast(`* ${client.name} left`)
    client.queue.end()
  }

  /** Everybody leaves. */
  close() {
    for (const client of this.#clients) this.leave(client)
  }

  /** Waits when this client's queue is half full, until it is empty. */
  async waitForSpace({ queue }) {
    while (queue.writableNeedDrain) await once(queue, 'drain')
  }

  /** Handles a line from a client: a new name, or text for everybody. */
  handle(client, text) {
    if (!this.#clients.has(client)) return // dropped as a slow consumer
    if (text === '/name' || text.startsWith('/name ')) {
      this.#rename(client, text.slice('/name'.length).trim())
    } else if (text !== '') {
      // Escaped here, since a client may be a plain `nc`: a control character
      // could clear its screen.
      this.#broadcast(`${client.name}: ${escaped(text)}`)
    }
  }

  // Tells something to one client only.
  #tell(client, text) {
    if (this.#clients.has(client)) client.queue.write(`${text}\n`)
  }

  /**
   * Puts a line into every queue and waits for nobody: nothing else runs
   * meanwhile, so all clients get all lines in the same order. A slow
   * consumer, whose queue is full, is dropped, and the others are told.
   */
  #broadcast(text) {
    line(shown(text))
    const bytes = Buffer.from(`${text}\n`) // shared by all queues
    const dropped = []
    for (const client of this.#clients) {
      if (client.queue.writableLength < CAPACITY) {
        client.queue.write(bytes)
        continue
      }
      client.queue.end('* you fell too far behind: goodbye\n')
      this.#clients.delete(client)
      dropped.push(client.name)
    }
    for (const name of dropped) {
      this.#broadcast(`* ${name} fell too far behind`)
    }
  }

  #rename(client, name) {
    if (!NAME.test(name) || Array.from(name).length > LONGEST_NAME) {
      return this.#tell(client,
        '* not a name: 1 to 24 letters, digits, - or _')
    }
    // "ada" beside "Ada" would deceive people, and so would "server".
    const key = name.toLowerCase()
    const isTaken = [...this.#clients].some(other =>
      other !== client && other.name.toLowerCase() === key)
    if (isTaken || key === 'server') {
      return this.#tell(client, `* the name ${name} is taken`)
    }
    const before = client.name
    client.name = name
    this.#broadcast(`* ${before} is now ${name}`)
  }
}
