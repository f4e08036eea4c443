// What makes reading easier. Without it the pages are complete.
'use strict'

const $ = (query, from = document) => from.querySelector(query)
const $$ = (query, from = document) => [...from.querySelectorAll(query)]
const root = document.documentElement
const calm = matchMedia('(prefers-reduced-motion: reduce)')
const STEP = /^#(.+)-(\d+)$/

// Choices are kept, where the browser keeps anything.
const kept = {
  get(name) {
    try { return localStorage.getItem(`page-${name}`) } catch { return null }
  },
  set(name, value) {
    try { localStorage.setItem(`page-${name}`, value) } catch { /* private */ }
  },
}

root.classList.add('js')
for (const element of $$('[data-js]')) element.hidden = false

// Before the first paint, only what is in the window is laid out (page.css);
// then all of it is, so that nothing moves from its place later on. Where
// somebody comes to a place in the page, that place has to be known at once.
const [visit] = performance.getEntriesByType('navigation')
const isAtTop = location.hash === '' && visit?.type === 'navigate'
if (!isAtTop) root.classList.add('laid')

// Colours: as the system says, light, dark.
const theme = $('#theme')
const THEMES = ['auto', 'light', 'dark']
function setTheme(name) {
  if (name === 'auto') delete root.dataset.theme
  else root.dataset.theme = name
  theme.textContent = theme.dataset.name + theme.dataset[name]
  kept.set('theme', name)
}
setTheme(THEMES.includes(kept.get('theme')) ? kept.get('theme') : 'auto')
theme.addEventListener('click', () => {
  const now = THEMES.indexOf(root.dataset.theme ?? 'auto')
  setTheme(THEMES[(now + 1) % THEMES.length])
})

// Which of the two languages are shown.
for (const choice of $$('[name=langs]')) {
  if (kept.get('langs') === choice.value) choice.checked = true
  choice.addEventListener('change', () => kept.set('langs', choice.value))
}

// The other language of the page, at the same place.
$('#other').addEventListener('click', event => {
  event.currentTarget.hash = location.hash || (at ? `#${at.id}` : '')
})

// What stays at the top of the window covers nothing that is gone to.
const strip = $('.strip')
const measure = new ResizeObserver(() => {
  root.style.setProperty('--stick', `${strip.offsetHeight}px`)
})

// The halves as tabs.
const tabs = $$('.tab')
const halfOf = tab => document.getElementById(`half-${tab.dataset.role}`)
for (const tab of tabs) {
  tab.addEventListener('click', event => {
    event.preventDefault()
    show(tab.dataset.role)
    if (strip.getBoundingClientRect().top <= 0) {
      halfOf(tab).scrollIntoView()
    }
  })
}
function show(role) {
  for (const tab of tabs) {
    const on = tab.dataset.role === role
    if (on) tab.setAttribute('aria-current', 'true')
    else tab.removeAttribute('aria-current')
    halfOf(tab).hidden = !on
  }
}
const roleShown = () => $('.tab[aria-current]')?.dataset.role

/** Brings a step into view, in its half. False where there is none. */
function reveal(hash, focus) {
  const [, role] = hash.match(STEP) ?? []
  const row = role && document.getElementById(hash.slice(1))
  if (!row || !row.matches('.row')) return false
  show(role)
  row.scrollIntoView({ behavior: calm.matches ? 'auto' : 'smooth' })
  if (focus) $('.n', row).focus({ preventScroll: true })
  return true
}
if (tabs.length > 0) show(tabs[0].dataset.role)
addEventListener('hashchange', () => reveal(location.hash))
reveal(location.hash)
document.addEventListener('click', event => {
  const link = event.target.closest('a[href^="#"]')
  if (!link || link.matches('.tab') || !reveal(link.hash)) return
  event.preventDefault()
  history.replaceState(null, '', link.hash)
})

// The step that is being read has its number marked.
const rows = $$('.role .row[id]')
const numbers = new Map($$('.half .num').map(a => [a.hash.slice(1), a]))
let at
function place() {
  const line = innerHeight * 0.35
  const above = rows.filter(row => row.offsetParent !== null &&
    row.getBoundingClientRect().top < line)
  const now = above.at(-1)
  if (now === at) return
  numbers.get(at?.id)?.removeAttribute('aria-current')
  at = now
  numbers.get(at?.id)?.setAttribute('aria-current', 'step')
}
addEventListener('scroll', () => requestAnimationFrame(place), { passive: true })

// What needs the places of things, and so the layout of the whole page.
function layOut() {
  root.classList.add('laid')
  if (strip) measure.observe(strip)
  place()
}
if (isAtTop) requestAnimationFrame(() => setTimeout(layOut))
else layOut()

// A function that both languages have.
const names = $$('.f')
for (const name of names) {
  const twins = names.filter(other => other.dataset.f === name.dataset.f)
  const mark = on => {
    for (const twin of twins) twin.classList.toggle('on', on)
  }
  name.addEventListener('pointerenter', () => mark(true))
  name.addEventListener('pointerleave', () => mark(false))
}

// Copying.
const toast = $('.toast')
let toasted
function say(text) {
  toast.textContent = text
  clearTimeout(toasted)
  toasted = setTimeout(() => { toast.textContent = '' }, 1600)
}
for (const button of $$('.copy')) {
  button.addEventListener('click', async () => {
    const code = $('pre', button.closest('figure')).textContent
    try {
      await navigator.clipboard.writeText(code)
      say(toast.dataset.copied)
    } catch {
      say(toast.dataset.failed)
    }
  })
}

// Search: the index comes as a script when it is wanted the first time.
const find = $('#find')
const hits = $('#hits')
let picked = -1
find.addEventListener('focus', () => {
  const script = document.createElement('script')
  script.src = find.dataset.index
  script.addEventListener('load', search)
  document.head.append(script)
}, { once: true })
function search() {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean)
  const has = ([title, , text, kind]) => words.every(word =>
    `${title} ${text} ${kind}`.toLowerCase().includes(word))
  // What has a word in its title comes first.
  const rank = ([title]) => words.some(word =>
    title.toLowerCase().includes(word)) ? 0 : 1
  const found = words.length === 0 ? [] : (globalThis.found ?? []).filter(has)
    .sort((one, other) => rank(one) - rank(other)).slice(0, 9)
  hits.replaceChildren(...found.map(([title, to, , kind], place) => {
    const item = document.createElement('li')
    item.role = 'option'
    item.id = `hit-${place}`
    item.dataset.to = to
    const where = document.createElement('span')
    where.textContent = kind
    item.append(title, where)
    return item
  }))
  hits.hidden = found.length === 0
  find.setAttribute('aria-expanded', String(!hits.hidden))
  pick(found.length > 0 ? 0 : -1)
}
function pick(place) {
  picked = place
  for (const [other, item] of [...hits.children].entries()) {
    item.setAttribute('aria-selected', String(other === place))
  }
  if (place < 0) find.removeAttribute('aria-activedescendant')
  else find.setAttribute('aria-activedescendant', `hit-${place}`)
}
function leave() {
  find.value = ''
  search()
  find.blur()
}
function take(item) {
  if (!item) return
  leave()
  location.href = item.dataset.to
}
find.addEventListener('input', search)
find.addEventListener('keydown', event => {
  const count = hits.children.length
  if (event.key === 'ArrowDown' && count > 0) pick((picked + 1) % count)
  else if (event.key === 'ArrowUp' && count > 0) {
    pick((picked + count - 1) % count)
  } else if (event.key === 'Enter') take(hits.children[picked])
  else if (event.key === 'Escape') leave()
  else return
  event.preventDefault()
})
find.addEventListener('blur', () => {
  hits.hidden = true
  find.setAttribute('aria-expanded', 'false')
})
hits.addEventListener('pointerdown', event => {
  event.preventDefault()
  take(event.target.closest('li'))
})

// The list of lessons closes by Escape, and by a click elsewhere.
const list = $('.lessons')
document.addEventListener('click', event => {
  if (!list.contains(event.target)) list.open = false
})
list.addEventListener('keydown', event => {
  if (event.key !== 'Escape') return
  list.open = false
  $('summary', list).focus()
})

// Keys. Those without Ctrl or Alt can be switched off.
const single = $('#single')
single.checked = kept.get('keys') !== 'off'
single.addEventListener('change', () =>
  kept.set('keys', single.checked ? 'on' : 'off'))
addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (event.target.closest('input, select, textarea, .log')) return
  const go = query => { if ($(query)) location.href = $(query).href }
  if (event.key === 'ArrowRight') return go('#next')
  if (event.key === 'ArrowLeft') return go('#prev')
  if (!single.checked) return
  if (event.key === 'j' || event.key === 'k') next(event.key === 'j' ? 1 : -1)
  else if (event.key === 'r') $('#run')?.click()
  else if (event.key === '/') find.focus()
  else return
  event.preventDefault()
})
function next(by) {
  const shown = rows.filter(row => row.offsetParent !== null)
  const now = document.activeElement.closest('.row[id]') ?? at
  const place = Math.max(0, Math.min(shown.length - 1, shown.indexOf(now) + by))
  if (!shown[place]) return
  history.replaceState(null, '', `#${shown[place].id}`)
  reveal(location.hash, true)
}
