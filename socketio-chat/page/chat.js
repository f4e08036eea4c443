// The chat in a browser. What others wrote gets into the page as text only,
// never as HTML: see `element()`.

/* global io */
'use strict'

const EVERYBODY = '' // the room of all, which has no name
const AGAIN = 'connected again; what was said meanwhile is lost'
const LOST = 'connection lost, connecting again …'
const KEPT = 500 // so many messages of each room stay in the page

const find = id => document.getElementById(id)
const socket = io({
  autoConnect: false,
  auth: give => give({ name }),
})
const rooms = new Map() // name -> { tab, log, unread }
let name = ''
let current = EVERYBODY

// 1. Who are you? Only then connect.
const hello = find('hello')
hello.addEventListener('cancel', event => event.preventDefault())
find('name').value = remembered()
addRoom(EVERYBODY)
hello.showModal()

find('introduce').addEventListener('submit', event => {
  event.preventDefault()
  name = find('name').value.trim()
  if (name === '') return
  socket.connect()
})

// 2. Connected: first by long polling, then by WebSocket where that works.
socket.on('connect', () => {
  remember(name)
  if (hello.open) {
    hello.close()
    find('text').focus()
  } else { // again: who is somewhere in the page stays there
    for (const room of rooms.keys()) showNews(room, AGAIN)
  }
  showTransport()
  socket.io.engine.once('upgrade', showTransport)
  find('say').elements[1].disabled = false
  // The server forgets in which rooms we were, as it forgets us.
  for (const room of rooms.keys()) if (room !== EVERYBODY) join(room)
  showWhoIsHere()
})

function showTransport() {
  const how = { websocket: 'WebSocket', polling: 'long polling' }
  const transport = socket.io.engine.transport.name
  showState('connected', `connected by ${how[transport] ?? transport}`)
}

function showState(state, text) {
  find('status').dataset.state = state
  find('status').textContent = text
}

// 3. Not connected: Socket.IO tries again by itself, unless we were refused
//    or sent away.
socket.on('connect_error', ({ message }) => {
  if (socket.active) {
    return showState('waiting', hello.open ? 'connecting …' : LOST)
  }
  find('refused').textContent = message
  find('refused').hidden = false
  if (!hello.open) hello.showModal()
  find('name').focus()
})
socket.on('disconnect', reason => {
  showState('waiting', LOST)
  find('say').elements[1].disabled = true
  if (reason === 'io server disconnect') socket.connect()
})

// 4. What the others say, and who they are.
for (const event of ['chat message', 'message']) {
  socket.on(event, said => {
    const room = said.room ?? EVERYBODY
    if (rooms.has(room)) showMessage(room, said)
  })
}
socket.on('greeting', ({ text }) => showNews(EVERYBODY, text))
for (const event of ['joined', 'left']) {
  socket.on(event, ({ name, room = EVERYBODY }) => {
    if (!rooms.has(room)) return
    showNews(room, `${name} ${event}`)
    showWhoIsHere()
  })
}
socket.on('notification', ({ time }) => {
  find('clock').textContent = new Date(time).toLocaleTimeString()
})

function showMessage(room, { name: by, text, time }) {
  const message = element('div', by === name ? 'message own' : 'message')
  const when = element('time', '', clock(time))
  when.dateTime = new Date(time).toISOString()
  message.append(element('span', 'by', by), when,
    element('div', 'text', text))
  add(room, message)
  if (room === current) return
  const entry = rooms.get(room)
  entry.unread += 1
  showTab(room)
}

function showNews(room, text) {
  add(room, element('p', 'news', text))
}

function add(room, child) {
  const { log } = rooms.get(room)
  // Who reads what was said before is not pulled away from there.
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80
  log.append(child)
  while (log.childElementCount > KEPT) log.firstElementChild.remove()
  if (atEnd) log.scrollTop = log.scrollHeight
}

/** An element that holds this text: `textContent` makes no tags of it. */
function element(tag, style, text = '') {
  const made = document.createElement(tag)
  if (style) made.className = style
  made.textContent = text
  return made
}

function clock(time) {
  return new Date(time).toLocaleTimeString([],
    { hour: '2-digit', minute: '2-digit' })
}

// Asked for at most once a second, however many come at once.
let asking
function showWhoIsHere() {
  asking ??= setTimeout(ask, 200)
}

async function ask() {
  const room = current
  try {
    const { here = [] } = room === EVERYBODY
      ? await socket.timeout(5000).emitWithAck('who is here')
      : await socket.timeout(5000).emitWithAck('join room', room)
    if (room === current) {
      find('here').replaceChildren(...here.map(by =>
        element('li', '', by === name ? `${by} (you)` : by)))
    }
  } catch {
    // No answer: the list is made again with the next connection.
  }
  asking = undefined
  if (room !== current) showWhoIsHere()
}

// 5. What you say. It stays in its field until the server has it.
find('say').addEventListener('submit', async event => {
  event.preventDefault()
  const field = find('text')
  const text = field.value
  if (text.trim() === '' || !socket.connected) return
  field.value = ''
  const problem = await send(text)
  if (problem !== undefined && field.value === '') field.value = text
  find('problem').textContent = problem ?? ''
  find('problem').hidden = problem === undefined
})

async function send(text) {
  try {
    const answer = current === EVERYBODY
      ? await socket.timeout(5000).emitWithAck('chat message', text)
      : await socket.timeout(5000).emitWithAck('message',
        { room: current, text })
    return answer.error
  } catch {
    return 'The server did not answer: perhaps nobody has read this.'
  }
}

// 6. Rooms: a tab each. The arrow keys go from one to the next.
find('join').addEventListener('submit', async event => {
  event.preventDefault()
  const room = find('room').value.trim()
  if (room === '') return
  find('room').value = ''
  if (rooms.has(room) || await join(room)) choose(room)
  find('text').focus()
})

async function join(room) {
  try {
    const { error } = await socket.timeout(5000)
      .emitWithAck('join room', room)
    find('problem').textContent = error ?? ''
    find('problem').hidden = error === undefined
    if (error) return false
  } catch {
    return false
  }
  if (!rooms.has(room)) addRoom(room)
  return true
}

function addRoom(room) {
  const number = String(rooms.size)
  const row = element('div', 'room')
  const tab = element('button')
  tab.type = 'button'
  tab.id = `tab-${number}-${Date.now()}`
  tab.setAttribute('role', 'tab')
  tab.addEventListener('click', () => choose(room))
  tab.addEventListener('keydown', step)
  row.append(tab)
  if (room !== EVERYBODY) {
    const leave = element('button', '', '×')
    leave.type = 'button'
    leave.setAttribute('aria-label', `leave ${room}`)
    leave.addEventListener('click', () => leaveRoom(room))
    row.append(leave)
  }
  const log = element('div', 'log')
  log.setAttribute('role', 'log')
  log.setAttribute('aria-labelledby', tab.id)
  log.tabIndex = 0
  find('rooms').append(row)
  find('logs').append(log)
  rooms.set(room, { row, tab, log, unread: 0 })
  choose(current)
}

function leaveRoom(room) {
  const { row, log } = rooms.get(room)
  socket.emit('leave room', room)
  row.remove()
  log.remove()
  rooms.delete(room)
  choose(current === room ? EVERYBODY : current)
}

function choose(room) {
  current = room
  rooms.get(room).unread = 0
  for (const [other, { log }] of rooms) {
    log.hidden = other !== room
    showTab(other)
  }
  const { log } = rooms.get(room)
  log.scrollTop = log.scrollHeight
  find('here-title').textContent = room === EVERYBODY ? 'Here' : `In ${room}`
  find('here').replaceChildren() // until the answer comes
  if (socket.connected) showWhoIsHere()
}

function showTab(room) {
  const { tab, unread } = rooms.get(room)
  tab.textContent = room === EVERYBODY ? 'Everybody' : room
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
