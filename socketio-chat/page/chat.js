// The chat in a browser. Text from others gets into the page as text only,
// never as HTML: see `element()`. `translate()` is in texts.js.

/* global io, translate, translatePage */
'use strict'

const EVERYBODY = '' // the room of all, which has no name
const KEPT = 500 // messages and news of each room that stay in the page
const TIMEOUT = 5000 // how long an answer may take, in milliseconds

const find = id => document.getElementById(id)
const socket = io({
  autoConnect: false,
  auth: give => give({ name }),
})
const rooms = new Map() // name -> { tab, log, unread, draft }
let name = ''
let current = EVERYBODY

// 1. Who are you? Only then connect.
translatePage()
showState('waiting', 'not connected')
find('name').value = remembered()
addRoom(EVERYBODY)
find('name').focus()

find('introduce').addEventListener('submit', event => {
  event.preventDefault()
  name = find('name').value
  showProblem('refused')
  showState('waiting', 'connecting …')
  socket.connect()
})

function showDoor(isOpen) {
  find('door').hidden = !isOpen
  find('chat').hidden = isOpen
  find(isOpen ? 'name' : 'text').focus()
}

// 2. Connected: first by long polling, then by WebSocket where that works.
socket.on('connect', () => {
  remember(name)
  showProblem('refused')
  showProblem('problem')
  if (find('chat').hidden) {
    showDoor(false)
  } else { // again: the focus stays where it is
    for (const room of rooms.keys()) {
      showNews(room, 'connected again; what was said meanwhile is lost')
    }
  }
  showTransport()
  socket.io.engine.once('upgrade', showTransport)
  // The server has forgotten in which rooms we were.
  for (const room of rooms.keys()) if (room !== EVERYBODY) join(room)
  showWhoIsHere()
})

function showTransport() {
  const { name } = socket.io.engine.transport
  const transport =
    name === 'polling' ? translate('long polling') : 'WebSocket'
  showState('connected', 'connected by {transport}', { transport })
}

function showState(state, text, words) {
  find('status').dataset.state = state
  find('status').textContent = translate(text, words)
}

// 3. Not connected: Socket.IO tries again by itself, unless the server has
//    refused us or closed the connection.
socket.on('connect_error', ({ message }) => {
  if (!socket.active) {
    showDoor(true)
    showState('waiting', 'not connected')
    showProblem('refused', message)
  } else if (find('chat').hidden) {
    showProblem('refused', 'No server answers; trying again …')
  } else {
    showState('waiting', 'connection lost, connecting again …')
  }
})
socket.on('disconnect', reason => {
  showState('waiting', 'connection lost, connecting again …')
  // Socket.IO does not try again then. With a pause, and with jitter, so that
  // not all pages reconnect at the same moment.
  if (reason === 'io server disconnect') {
    setTimeout(() => socket.connect(), 500 + 1000 * Math.random())
  }
})

/** Shows what went wrong in an element of the page; nothing hides it. */
function showProblem(id, text) {
  find(id).textContent = text === undefined ? '' : translate(text)
  find(id).hidden = text === undefined
}

// 4. What the others say, and who they are.
for (const event of ['chat message', 'message']) {
  socket.on(event, message => {
    const room = message.room ?? EVERYBODY
    if (rooms.has(room)) showMessage(room, message)
  })
}
socket.on('greeting', () => showNews(EVERYBODY, 'Welcome, {name}!', { name }))
for (const event of ['joined', 'left']) {
  socket.on(event, ({ name, room = EVERYBODY }) => {
    if (!rooms.has(room)) return
    showNews(room, `{name} ${event}`, { name })
    showWhoIsHere()
  })
}
socket.on('notification', ({ time }) => {
  find('clock').textContent = new Date(time).toLocaleTimeString()
})

function showMessage(room, { id, name: by, text, time }) {
  // Not the name: another window may have the same one.
  const isOwn = id === socket.id
  const message = element('div', isOwn ? 'message own' : 'message')
  const when = element('time', '', new Date(time)
    .toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }))
  when.dateTime = new Date(time).toISOString()
  message.append(element('span', 'by', by), when, textWithLinks(text))
  add(room, message, isOwn)
  if (room === current) return
  rooms.get(room).unread += 1
  showTab(room)
}

function showNews(room, text, words) {
  add(room, element('p', 'news', translate(text, words)))
}

function add(room, child, isOwn = false) {
  const { log } = rooms.get(room)
  // A reader of older messages stays where they are; a button leads back.
  // One's own message is always shown.
  const follows = isOwn || isAtEnd(log)
  log.append(child)
  while (log.childElementCount > KEPT) log.firstElementChild.remove()
  if (follows) {
    log.scrollTop = log.scrollHeight
  } else if (room === current) {
    find('newer').hidden = false
  }
}

function isAtEnd(log) {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 80
}

find('newer').addEventListener('click', () => {
  const { log } = rooms.get(current)
  log.scrollTop = log.scrollHeight
  find('text').focus()
})

/** An element that holds this text: `textContent` makes no tags of it. */
function element(tag, style, text = '') {
  const made = document.createElement(tag)
  if (style) made.className = style
  made.dir = 'auto' // Arabic and Hebrew run from right to left
  made.textContent = text
  return made
}

// What looks like a URL, without the punctuation that ends a sentence.
const LINK = /(https?:\/\/[^\s<>"“”，。；：！？、）】》」』]*[^\s<>"“”，。；：！？、）】》」』.,;:!?)\]}'])/

function textWithLinks(text) {
  const made = element('div', 'text')
  // With one pair of brackets, every second part is what they match.
  text.split(LINK).forEach((part, number) => {
    if (number % 2 === 0) return made.append(part)
    const link = element('a', '', part)
    link.href = part
    link.target = '_blank'
    link.rel = 'noopener noreferrer nofollow'
    made.append(link)
  })
  return made
}

// Asks at most once for all events of 200 ms.
let asking
function showWhoIsHere() {
  asking ??= setTimeout(ask, 200)
}

async function ask() {
  const room = current
  try {
    const { here = [] } = room === EVERYBODY
      ? await socket.timeout(TIMEOUT).emitWithAck('who is here')
      : await socket.timeout(TIMEOUT).emitWithAck('join room', room)
    if (room === current) {
      find('here').replaceChildren(...here.map(by => element('li', '',
        by === name.trim() ? translate('{name} (you)', { name: by }) : by)))
    }
  } catch {
    // No answer: the list is made again with the next connection.
  }
  asking = undefined
  if (room !== current) showWhoIsHere()
}

// 5. What you say. If the server has not taken it, it is in its field again.
find('say').addEventListener('submit', async event => {
  event.preventDefault()
  const room = current
  const text = find('text').value
  if (text.trim() === '') return
  if (!socket.connected) {
    return showProblem('problem',
      'Not connected: your text stays here until you send it again.')
  }
  find('text').value = ''
  const problem = await send(room, text)
  showProblem('problem', problem)
  if (problem === undefined) return
  if (room !== current) rooms.get(room).draft ||= text
  else find('text').value ||= text
})

async function send(room, text) {
  try {
    const { error } = room === EVERYBODY
      ? await socket.timeout(TIMEOUT).emitWithAck('chat message', text)
      : await socket.timeout(TIMEOUT).emitWithAck('message', { room, text })
    return error
  } catch {
    return 'The server did not answer: perhaps nobody has read this.'
  }
}

// 6. Rooms: a tab each. The arrow keys go from one to the next.
find('join').addEventListener('submit', async event => {
  event.preventDefault()
  const room = find('room').value.trim()
  if (!socket.connected) {
    return showProblem('problem', 'Not connected: join the room later.')
  }
  if (!rooms.has(room) && !await join(room)) return
  find('room').value = ''
  choose(room)
  find('text').focus()
})
find('leave').addEventListener('click', () => leave(current))

async function join(room) {
  try {
    const { error } =
      await socket.timeout(TIMEOUT).emitWithAck('join room', room)
    showProblem('problem', error)
    if (error !== undefined) return false
  } catch {
    showProblem('problem', 'The server did not answer: join the room again.')
    return false
  }
  if (!rooms.has(room)) addRoom(room)
  return true
}

function addRoom(room) {
  const tab = element('button', 'quiet')
  tab.type = 'button'
  tab.id = `tab-${crypto.getRandomValues(new Uint32Array(1))}`
  tab.setAttribute('role', 'tab')
  tab.setAttribute('aria-controls', 'logs')
  tab.addEventListener('click', () => choose(room))
  tab.addEventListener('keydown', step)
  const log = element('div', 'log')
  log.setAttribute('role', 'log')
  log.setAttribute('aria-labelledby', tab.id)
  log.tabIndex = 0
  log.addEventListener('scroll', () => {
    if (room === current && isAtEnd(log)) find('newer').hidden = true
  })
  find('rooms').append(tab)
  find('logs').append(log)
  rooms.set(room, { tab, log, unread: 0, draft: '' })
  choose(current)
}

function leave(room) {
  const { tab, log } = rooms.get(room)
  if (socket.connected) socket.emit('leave room', room)
  choose(EVERYBODY)
  rooms.get(EVERYBODY).tab.focus() // the button is gone, and the focus with it
  tab.remove()
  log.remove()
  rooms.delete(room)
}

function choose(room) {
  // What was typed here and not sent waits here.
  rooms.get(current).draft = find('text').value
  find('text').value = rooms.get(room).draft
  current = room
  rooms.get(room).unread = 0
  for (const [other, { log }] of rooms) {
    log.hidden = other !== room
    showTab(other)
  }
  const { tab, log } = rooms.get(room)
  find('logs').setAttribute('aria-labelledby', tab.id)
  log.scrollTop = log.scrollHeight
  tab.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  showProblem('problem')
  find('newer').hidden = true
  find('leave').hidden = room === EVERYBODY
  find('here-title').textContent = room === EVERYBODY ? translate('Here')
    : translate('In {room}', { room })
  find('here').replaceChildren() // until the answer comes
  if (socket.connected) showWhoIsHere()
}

function showTab(room) {
  const { tab, unread } = rooms.get(room)
  tab.textContent = room === EVERYBODY ? translate('Everybody') : room
  tab.setAttribute('aria-selected', String(room === current))
  tab.tabIndex = room === current ? 0 : -1
  if (unread > 0) tab.append(element('span', 'unread', String(unread)))
}

function step(event) {
  const way = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }
  if (!(event.key in way)) return
  event.preventDefault()
  const names = [...rooms.keys()]
  const next = names.indexOf(current) + way[event.key] + names.length
  choose(names[next % names.length])
  rooms.get(current).tab.focus()
}

// The name is kept where the browser allows it.
function remembered() {
  try {
    return localStorage.getItem('name') ?? ''
  } catch {
    return ''
  }
}

function remember(name) {
  try {
    localStorage.setItem('name', name)
  } catch {
    // Then it is asked for again.
  }
}
