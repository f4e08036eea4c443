// The pages in a real Chromium: what tests/browser.rs starts. Ends with status
// 0 when all is as promised.
//
//     node browser.js SCENARIO URL

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

import { file, launch } from './chromium.js'

const AXE = readFileSync(file('axe-core/axe.min.js'), 'utf8')
const [scenario, url] = process.argv.slice(2)
const LIMIT = 150_000

const browser = await launch()
const problems = []

async function open(file, options = {}) {
  const context = await browser.newContext({
    reducedMotion: 'reduce',
    ...options,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(LIMIT)
  page.on('pageerror', error => problems.push(`${file}: ${error.message}`))
  page.on('console', message => {
    if (message.type() === 'error') problems.push(`${file}: ${message.text()}`)
  })
  // Nothing comes from elsewhere.
  page.on('request', request => {
    const elsewhere = !/^(data:|file:)/.test(request.url()) &&
      !request.url().startsWith(new URL('/', url).href)
    if (elsewhere) problems.push(`${file} asks for ${request.url()}`)
  })
  await page.goto(url + file)
  return page
}

const size = width => ({ viewport: { width, height: 800 } })

/** The first halves' rows: where each of their cells begins. */
const places = page => page.evaluate(() =>
  [...document.querySelectorAll('.role:not([hidden]) > .wide > .row')]
    .map(row => [...row.querySelectorAll('.cell pre')].map(code => {
      const { left, top, bottom } = code.getBoundingClientRect()
      return { left, top, bottom }
    })))

/** Not of a half that is written in one language only. */
const isPair = row => row.length > 1

/** Does the whole page fit into its window's width? */
async function fits(page, what) {
  const [inner, outer] = await page.evaluate(() =>
    [document.documentElement.scrollWidth, innerWidth])
  assert.ok(inner <= outer, `${what}: ${inner} > ${outer}`)
}

/** All pages, as the list of lessons has them. */
async function pages() {
  const page = await open('index.html')
  const files = await page.locator('.sheet a').evaluateAll(links =>
    links.map(link => link.getAttribute('href')))
  assert.ok(files.length > 10, `${files}`)
  await page.context().close()
  return files
}

const scenarios = {
  /** Both languages in one row where there is room, else one below the other. */
  async rows() {
    for (const file of await pages()) {
      const page = await open(file, size(1280))
      const isLesson = await page.locator('.role').count() > 0
      for (const width of [1280, 1600]) {
        await page.setViewportSize({ width, height: 800 })
        const rows = await places(page)
        assert.ok(rows.length > 2 || !isLesson, `${file}: ${rows.length} rows`)
        for (const [node, rust] of rows.filter(isPair)) {
          assert.equal(node.top, rust.top, `${file} at ${width}`)
          assert.ok(node.left < rust.left, `${file} at ${width}`)
        }
        await fits(page, `${file} at ${width}`)
      }
      // Eighty columns, and so no line of the sources takes two.
      await page.setViewportSize({ width: 1280, height: 800 })
      const broken = await page.locator('.role .l').evaluateAll(lines => lines
        .filter(line => line.getBoundingClientRect().height > 30)
        .map(line => line.textContent))
      assert.deepEqual(broken, [], file)
      for (const width of [390, 320]) {
        await page.setViewportSize({ width, height: 800 })
        for (const [node, rust] of (await places(page)).filter(isPair)) {
          assert.equal(node.left, rust.left, `${file} at ${width}`)
          assert.ok(node.bottom < rust.top, `${file} at ${width}`)
        }
        await fits(page, `${file} at ${width}`)
      }
      // A step that is gone to is not below what stays at the top.
      for (const step of isLesson ? await page.locator('.role').all() : []) {
        const row = step.locator('.row[id]').last()
        const hash = `#${await row.getAttribute('id')}`
        await page.evaluate(hash => { location.hash = hash }, hash)
        await page.waitForFunction(hash => {
          const { top } = document.querySelector(hash).getBoundingClientRect()
          const strip = document.querySelector('.strip').getBoundingClientRect()
          return strip.top === 0 && top >= strip.bottom && top < innerHeight
        }, hash)
      }
      await page.goto(`${url}zh/${file}`)
      await fits(page, `zh/${file}`)
      await page.context().close()
    }
  },

  /** On paper: both halves in both languages, nothing to press, no line cut. */
  async print() {
    for (const file of ['tcp-echo.html', 'zh/work-queue.html', 'index.html']) {
      // As wide as A4 between its margins.
      const page = await open(file, size(718))
      await page.emulateMedia({ media: 'print' })
      for (const choice of await page.locator('[name=langs]').all()) {
        await choice.evaluate(input => input.click())
        const found = await page.evaluate(() => {
          const seen = element => element.checkVisibility({
            contentVisibilityAuto: true, visibilityProperty: true,
          })
          const all = query => [...document.querySelectorAll(query)]
          const cut = all('main *').filter(element => {
            const { right } = element.getBoundingClientRect()
            const { overflowX, overflowY } = getComputedStyle(element)
            const hides = overflowX !== 'visible' || overflowY !== 'visible'
            return seen(element) && (right > innerWidth + 1 || hides)
          })
          return {
            hidden: all('.role .cell, .role .l, .ask .take')
              .filter(element => !seen(element)).length,
            pressed: all('button, input, select, .go, .strip, .top, footer')
              .filter(seen).length,
            cut: cut.map(element => `${element.tagName}.${element.className}`),
          }
        })
        assert.deepEqual(found, { hidden: 0, pressed: 0, cut: [] }, file)
      }
      await page.context().close()
    }
  },

  /** Questions that lead to a lesson, by keyboard and without JavaScript. */
  async choose() {
    for (const folder of ['', 'zh/']) {
      const page = await open(`${folder}index.html`,
        { ...size(1280), javaScriptEnabled: false })
      const taken = new Set()
      const count = await page.locator('.ask details').count()
      assert.ok(count > 10, `${count} answers`)
      // Each answer that is seen is given once, from the first to the last.
      for (let place = 0; place < count; place += 1) {
        const answer = page.locator('.ask details').nth(place)
        const summary = answer.locator('> summary')
        await summary.focus()
        await page.keyboard.press('Enter')
        // One answer to each question.
        const open = await answer.evaluate(({ parentElement }) =>
          [...parentElement.children].filter(it => it.open).length)
        assert.equal(open, 1, await summary.textContent())
        const take = answer.locator('> .then > .take a')
        if (await take.count() > 0) {
          assert.ok(await take.isVisible())
          taken.add(await take.textContent())
        }
      }
      const lessons = await page.locator('.choose a').allTextContents()
      assert.deepEqual([...taken].sort(), lessons.sort())
      await page.locator('.ask .take a >> visible=true').click()
      await page.locator('.role').first().waitFor()
      await page.context().close()
    }
  },

  /** All is there without JavaScript, which only makes it easier to read. */
  async plain() {
    const page = await open('tcp-echo.html', { javaScriptEnabled: false })
    for (const role of ['server', 'client']) {
      assert.ok(await page.locator(`#half-${role}`).isVisible(), role)
    }
    assert.ok(await page.locator('#server-5 .rust-c pre').isVisible())
    await page.locator('.lessons summary').click()
    await page.locator('.sheet a', { hasText: 'udp-echo' }).click()
    await page.waitForURL(/udp-echo\.html$/)
  },

  /** By keyboard: steps, lessons, search, languages; choices are kept. */
  async reading() {
    const page = await open('tcp-echo.html', size(1280))
    await page.keyboard.press('j')
    await page.waitForURL(/#server-1$/)
    await page.keyboard.press('/')
    await page.keyboard.type('half-close')
    await page.locator('#hits li').first().waitFor()
    await page.keyboard.press('Escape')
    await page.locator('#l-rust').check({ force: true })
    assert.equal(await page.locator('#server-5 .node-c').isVisible(), false)
    await page.goto(`${url}tcp-echo.html#client-3`)
    await page.locator('#client-3 .n').waitFor()
    assert.ok(await page.locator('#l-rust').isChecked())
    await page.locator('#other').click()
    await page.waitForURL(/zh\/tcp-echo\.html#client-3$/)
    assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN')
    assert.ok(await page.locator('#half-client').isVisible())
    await page.keyboard.press('ArrowRight')
    await page.waitForURL(/zh\/http-echo\.html$/)
  },

  /** What axe finds, light and dark. */
  async access() {
    for (const [file, colorScheme] of [['tcp-echo.html', 'light'],
      ['zh/tcp-echo.html', 'dark'], ['index.html', 'light'],
      ['costs.html', 'dark']]) {
      const page = await open(file, { ...size(1280), colorScheme })
      await page.evaluate(AXE)
      const { violations } = await page.evaluate(() => globalThis.axe.run())
      const found = violations.map(({ id, nodes }) =>
        `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) =>
          `${html.slice(0, 200)} ${failureSummary}`).join('\n')}`)
      assert.deepEqual(found, [], `${file} ${colorScheme}`)
      await page.context().close()
    }
  },

  /** Three lessons run from their pages as their READMEs show. */
  async run() {
    for (const lesson of ['tcp-echo', 'http-echo', 'pipe-echo']) {
      const page = await open(`${lesson}.html`, size(1280))
      await page.locator('#fold').click()
      for (const [first, second] of [['rust', 'node'], ['node', 'rust'],
        ['rust', 'rust'], ['node', 'node']]) {
        await page.locator(`[name=run-0][value=${first}]`).check({ force: true })
        await page.locator(`[name=run-1][value=${second}]`).check({ force: true })
        await page.locator('#run').click()
        await page.locator('#stop:not([disabled])').waitFor()
        await page.locator('#run:not([disabled])').waitFor()
        for (const [half, name] of ['server', 'client'].entries()) {
          // A path or a port of its own for each run.
          const plain = lines => lines
            .map(line => line.replace(/^(listening on ).*/, '$1…'))
          const shown = await page.evaluate(name =>
            [...document.querySelectorAll(`#log li.${name} bdi`)]
              .map(line => line.textContent), name)
          const written = await page.evaluate(half => {
            const all = [...document.querySelectorAll('#run-it-h, #h-run-it')]
            const section = all[0].closest('section')
            return [...section.querySelectorAll('.term pre')[half]
              .querySelectorAll('.l:not(.cmd)')]
              .map(line => line.textContent.trim())
              .filter(line => line !== '^C')
          }, half)
          assert.deepEqual(plain(shown), plain(written),
            `${lesson}, ${first} and ${second}: ${name}`)
          // Each line says which step has printed it.
          const steps = await page.locator(`#log li.${name} a`).count()
          assert.equal(steps, shown.length, `${lesson}: ${name}`)
        }
      }
      await page.context().close()
    }
  },

  /** A line lights its step; freeze, go on and kill do what they say. */
  async control() {
    const page = await open('tcp-echo.html', size(1280))
    await page.locator('#fold').click()
    await page.locator('#count').selectOption('')
    await page.locator('#every').selectOption('300')
    const line = text => page.locator('#log li', { hasText: text })
    for (const languages of [['rust', 'node'], ['node', 'rust']]) {
      for (const [half, language] of languages.entries()) {
        await page.locator(`[name=run-${half}][value=${language}]`)
          .check({ force: true })
      }
      await page.locator('#run').click()
      await line('receive: hello').first().waitFor()
      // Only one role's steps are visible, and the lit one may be the other's.
      await page.locator('.row.lit').waitFor({ state: 'attached' })
      await page.locator('#ice-0').click()
      await line('kill -STOP').waitFor()
      const before = await page.locator('#log li.client').count()
      await page.waitForFunction(before =>
        document.querySelectorAll('#log li.client').length > before + 3, before)
      await page.locator('#ice-0').click()
      await line('kill -CONT').waitFor()
      await line('receive: hellohello').first().waitFor()
      // The server is killed in one language, the client in the other.
      const killed = languages[0] === 'rust' ? 0 : 1
      await page.locator(`#kill-${killed}`).click()
      await page.locator(`#st-${killed}`, { hasText: 'signal 9' }).waitFor()
      await page.locator('#run:not([disabled])').waitFor()
      // Nothing moves any more: pointing at a line lights its step again, in
      // the language that has printed it.
      for (const [half, name] of ['server', 'client'].entries()) {
        const printed = page.locator(`#log li.${name} a`).first()
        await printed.hover()
        const row = page.locator(await printed.getAttribute('href'))
        await row.locator(`.${languages[half]}-c .l.lit`)
          .waitFor({ state: 'attached' })
        assert.equal(await page.locator('.row.lit').count(), 1)
        assert.equal(await page.locator('.l.lit').count(), 1)
      }
    }
  },

  /** Twenty tabs press Run at once. */
  async tabs() {
    const first = await open('tcp-echo.html', size(800))
    const context = first.context()
    const tabs = [first]
    while (tabs.length < 20) {
      const tab = await context.newPage()
      await tab.goto(`${url}tcp-echo.html`)
      tabs.push(tab)
    }
    const each = what => Promise.all(tabs.map(what))
    // As a script of the page would: a tab in the background paints nothing.
    const press = tab => tab.evaluate(() => {
      document.querySelector('#count').value = ''
      document.querySelector('#run').click()
    })
    await each(press)
    const refused = tab => tab.evaluate(() => {
      const lines = [...document.querySelectorAll('#log li')]
      if (lines.some(li => li.textContent.includes('four pages'))) return 'no'
      return lines.some(li => li.className.startsWith('client')) ? 'runs' : ''
    })
    const settled = async wanted => {
      for (;;) {
        const states = await each(refused)
        if (states.every(Boolean)) {
          assert.equal(states.filter(it => it === 'runs').length, wanted)
          return states
        }
      }
    }
    const states = await settled(4)
    // A page that runs something cannot start another.
    const running = tabs.filter((_, place) => states[place] === 'runs')
    for (const tab of running) {
      assert.ok(await tab.locator('#run').isDisabled())
    }
    // One that leaves makes room for one.
    await running[0].close()
    tabs.splice(tabs.indexOf(running[0]), 1)
    const waiting = tabs.find(tab => !running.includes(tab))
    for (;;) {
      await press(waiting)
      await waiting.locator('#run:not([disabled]), #log li.client').first()
        .waitFor({ state: 'attached' })
      if (await refused(waiting) === 'runs') break
    }
    await settled(4)
    // The refusals are errors to Chromium's console, too.
    problems.splice(0, problems.length,
      ...problems.filter(it => !it.includes('429')))
  },

  /** Nothing but the pages' own scripts runs in them. */
  async policy() {
    for (const file of ['index.html', 'tcp-echo.html']) {
      const page = await open(file)
      await page.evaluate(() => {
        const script = document.createElement('script')
        script.textContent = 'globalThis.injected = true'
        document.head.append(script)
        document.body.innerHTML += '<img src="data:," onerror="injected = true">' +
          '<p id="styled" style="color: red">'
      })
      assert.equal(await page.evaluate(() => globalThis.injected), undefined)
      assert.ok(problems.length >= 2)
      for (const problem of problems.splice(0)) {
        assert.match(problem, /Content Security Policy/, problem)
      }
      await page.context().close()
    }
  },
}

try {
  await scenarios[scenario]()
  assert.deepEqual(problems, [])
} finally {
  await browser.close()
}
