// What tests/server_sent_events.rs starts: very many clients wait at once in
// one History. If a client that stops waiting had to be looked for among the
// others, this would take more than an hour.

import assert from 'node:assert/strict'
import { History } from '../node/history.js'

const CLIENTS = 300_000

const alive = setInterval(() => {}, 1000) // History keeps no program running
const history = new History()
const wait = timeout => Promise.all(
  Array.from({ length: CLIENTS }, () => history.next(0, timeout)))

// No event comes in time: each is to get a heartbeat.
const nothing = await wait(1)
assert(nothing.every(event => event === undefined))

// An event comes: all get it.
const waiting = wait(60_000)
history.publish('news')
const events = await waiting
assert(events.every(({ text }) => text === 'news'))
clearInterval(alive)
