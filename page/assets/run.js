// Runs the pair of this page, and shows its lines as they come. Only for a
// page that `cargo run -- --web` serves.
'use strict'

{
const dock = $('.dock')
const words = JSON.parse(dock.dataset.words)
const log = $('#log')
// A parent starts its child by itself, and the child is there while it is.
const isParent = dock.dataset.parent !== undefined
const page = crypto.randomUUID()
const ui = { run: $('#run'), stop: $('#stop'), fold: $('#fold'), body: $('#dockbody') }
const names = () => $$('.th b').map(b => b.textContent)
let running // aborts the request whose answer are the lines
let halves = []
let lit = []

function open(on) {
  ui.body.hidden = !on
  dock.classList.toggle('shut', !on)
  ui.fold.setAttribute('aria-expanded', String(on))
}
open(false)
ui.fold.addEventListener('click', () => open(ui.body.hidden))

// The other pair of the same lesson has other halves.
$('#pair')?.addEventListener('change', event => {
  for (const name of $$('[data-names]')) {
    name.textContent = name.dataset.names.split(' ')[event.target.value]
  }
  for (const legend of $$('legend[data-half]')) {
    legend.textContent = names()[legend.dataset.half]
  }
})

// At the top of the page: what follows is read beside the lines.
$('#try').addEventListener('click', () => ui.run.click())

const language = half =>
  ($(`[name=run-${half}]:checked`) ?? $('[name=run-0]:checked')).value

ui.run.addEventListener('click', async () => {
  if (running) return
  running = new AbortController()
  log.replaceChildren()
  light([])
  open(true)
  halves = [0, 1].map(half => ({ language: language(half), state: '' }))
  update()
  const wanted = {
    lesson: dock.dataset.lesson,
    also: $('#pair')?.value === '1',
    languages: halves.map(half => half.language),
    count: Number($('#count')?.value ?? 3) || null,
    every: Number($('#every')?.value ?? 1000),
  }
  try {
    const answer = await post(`run/${page}`, wanted, running.signal)
    if (!answer.ok) throw Error(await answer.text())
    await read(answer.body)
  } catch (error) {
    note(0, error.message === 'Failed to fetch' ? words.gone : error.message)
  }
  running = undefined
  for (const half of halves) if (half.alive) half.alive = false
  update()
})

function post(to, what, signal) {
  const top = document.documentElement.lang === 'en' ? './' : '../'
  return fetch(`${top}${to}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(what),
    signal,
  })
}
const act = what => post(`do/${page}`, what).catch(() => {})

/** The events of a text/event-stream. */
async function read(body) {
  let text = ''
  for await (const piece of pieces(body.pipeThrough(new TextDecoderStream()))) {
    text += piece
    const events = text.split('\n\n')
    text = events.pop()
    for (const event of events) {
      const data = event.split('\n').filter(line => line.startsWith('data:'))
      if (data.length > 0) show(JSON.parse(data.map(it => it.slice(5)).join('\n')))
    }
  }
}
async function* pieces(stream) {
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    yield value
  }
}

function show(told) {
  const half = halves[told.half]
  switch (told.kind) {
    case 'building':
      for (const each of halves) each.state = words.building
      break
    case 'started':
      Object.assign(half, { alive: true, state: words.running })
      if (isParent) halves[1].state = ''
      note(told.half, `$ ${told.command}`)
      break
    case 'line':
      line(told)
      break
    case 'note':
      note(told.half, told.text)
      if (told.text.includes('STOP')) Object.assign(half, { frozen: true, state: words.frozen })
      if (told.text.includes('CONT')) Object.assign(half, { frozen: false, state: words.running })
      break
    case 'ended':
      Object.assign(half, { alive: false, failed: told.failed,
        state: told.how.startsWith('signal') ? `${words.killed} ${told.how}`
          : `${words.ended} ${told.how}` })
      break
    case 'failed':
      note(0, told.why)
      break
  }
  update()
}

function item(half, element, caused) {
  const li = document.createElement('li')
  li.className = `${half === 0 ? 'server' : 'client'}${caused ? ' from' : ''}`
  const who = document.createElement('span')
  who.className = 'vh'
  who.textContent = `${names()[half]}: `
  li.append(who, element)
  log.append(li)
  while (log.children.length > 400) log.firstChild.remove()
  log.scrollTop = log.scrollHeight
  return li
}
function note(half, text) {
  const span = document.createElement('span')
  span.className = text.startsWith('$') ? 'cmd' : 'note'
  span.textContent = text
  item(half, span)
}
function line(told) {
  const element = document.createElement(told.step ? 'a' : 'span')
  const text = document.createElement('bdi')
  text.textContent = told.text
  element.append(text)
  if (told.step) {
    element.href = `#${told.step}`
    const step = document.createElement('span')
    step.textContent = `${words.step} ${told.step.match(/\d+$/)[0]}`
    element.append(step)
  } else element.className = 'note'
  for (const now of $$('.now', log)) now.classList.remove('now')
  const li = item(told.half, element, told.caused)
  if (/^Error|^socket:/.test(told.text)) li.classList.add('err')
  if (!told.step) return
  li.classList.add('now')
  li.at = parts(told)
  light(li.at)
  if ($('#follow').checked) follow(li.at)
}

/** The step's row, its number in the strip, and the line of its source. */
function parts({ step, half, at }) {
  const row = document.getElementById(step)
  const cell = `.${halves[half].language}-c`
  const printing = at === null ? [] : $$(`${cell} [data-n="${at}"]`, row)
  return [row, numbers.get(step), ...printing].filter(Boolean)
}
function light(elements) {
  for (const element of lit) element.classList.remove('lit')
  lit = elements
  for (const element of lit) element.classList.add('lit')
}
// Moves no further than is needed, and only within the half that is shown.
function follow([row]) {
  if (row.offsetParent === null) return
  const { top, bottom } = row.getBoundingClientRect()
  const [low, high] = [strip.offsetHeight, dock.getBoundingClientRect().top]
  if (top < low || bottom > high) {
    row.scrollIntoView({ behavior: calm.matches ? 'auto' : 'smooth' })
  }
}

// Pointing at a line lights its step; pointing at a step, its lines.
for (const kind of ['pointerover', 'focusin']) {
  log.addEventListener(kind, event => {
    const { at } = event.target.closest('li') ?? {}
    if (at) light(at)
  })
}
for (const row of rows) {
  const mark = on => {
    for (const li of $$('li', log)) {
      li.classList.toggle('hl', on && li.at?.[0] === row)
    }
  }
  row.addEventListener('pointerenter', () => mark(true))
  row.addEventListener('pointerleave', () => mark(false))
}

function update() {
  for (const [number, half] of halves.entries()) {
    const state = $(`#st-${number}`)
    state.textContent = half.state
    state.className = `st${half.failed ? ' bad' : half.frozen ? ' ice' : ''}`
    const [ice, kill] = [$(`#ice-${number}`), $(`#kill-${number}`)]
    if (!ice) continue
    const alive = half.alive || (isParent && halves[0].alive)
    ice.disabled = kill.disabled = !running || !alive
    ice.textContent = half.frozen ? words.thaw : words.freeze
  }
  ui.run.disabled = Boolean(running)
  ui.stop.disabled = !running
  dock.classList.toggle('busy', Boolean(running))
  for (const field of $$('.ctl fieldset input, .ctl select')) {
    field.disabled = Boolean(running)
  }
}
for (const half of [0, 1]) {
  $(`#kill-${half}`)?.addEventListener('click', () => act({ act: 'kill', half }))
  $(`#ice-${half}`)?.addEventListener('click', () =>
    act({ act: halves[half].frozen ? 'thaw' : 'freeze', half }))
}
ui.stop.addEventListener('click', () => act({ act: 'stop' }))
$('#send')?.addEventListener('submit', event => {
  event.preventDefault()
  const field = $('#typed')
  if (running && field.value) act({ act: 'send', text: field.value })
  field.value = ''
})
// What runs ends with its page.
addEventListener('pagehide', () => running?.abort())
update()
}
