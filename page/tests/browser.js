// The pages in a real Chromium: what tests/browser.rs starts. Ends with status
// 0 when all is as promised.
//
//     node browser.js SCENARIO URL

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'

// What drives a browser is among socketio-chat's packages.
const require = createRequire(new URL('../../socketio-chat/', import.meta.url))
const { chromium } = require('playwright-core')
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const [scenario, url] = process.argv.slice(2)
const LIMIT = 150_000

const executablePath = process.env.PATH.split(delimiter)
  .map(place => join(place, 'chromium')).find(existsSync)
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
    '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
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

/** Does the whole page fit into its window's width? */
async function fits(page, what) {
  const [inner, outer] = await page.evaluate(() =>
    [document.documentElement.scrollWidth, innerWidth])
  assert.ok(inner <= outer, `${what}: ${inner} > ${outer}`)
}

const LESSONS = ['tcp-echo', 'fork-ipc', 'socketio-chat', 'work-queue']

const scenarios = {
  /** Both languages in one row where there is room, else one below the other. */
  async rows() {
    for (const lesson of LESSONS) {
      const file = `${lesson}.html`
      for (const width of [1280, 1600]) {
        const page = await open(file, size(width))
        const rows = await places(page)
        assert.ok(rows.length > 2, `${file}: ${rows.length} rows`)
        for (const [node, rust] of rows) {
          assert.equal(node.top, rust.top, `${file} at ${width}`)
          assert.ok(node.left < rust.left, `${file} at ${width}`)
        }
        await fits(page, `${file} at ${width}`)
        await page.context().close()
      }
      for (const width of [390, 320]) {
        const page = await open(file, size(width))
        for (const [node, rust] of await places(page)) {
          assert.equal(node.left, rust.left, `${file} at ${width}`)
          assert.ok(node.bottom < rust.top, `${file} at ${width}`)
        }
        await fits(page, `${file} at ${width}`)
        await page.context().close()
      }
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
    await page.locator('#run').click()
    await line('receive: hello').first().waitFor()
    // Only one role's steps are visible, and the lit one may be the other's.
    await page.locator('#server-5.lit, #server-6.lit, #client-4.lit, #client-5.lit')
      .first().waitFor({ state: 'attached' })
    await page.locator('#ice-0').click()
    await line('kill -STOP').waitFor()
    const before = await page.locator('#log li.client').count()
    await page.waitForFunction(before =>
      document.querySelectorAll('#log li.client').length > before + 3, before)
    await page.locator('#ice-0').click()
    await line('kill -CONT').waitFor()
    await line('receive: hellohello').first().waitFor()
    await page.locator('#kill-0').click()
    await page.locator('#st-0', { hasText: 'signal 9' }).waitFor()
    await page.locator('#run:not([disabled])').waitFor()
    // Nothing moves any more: pointing at a line lights its step again.
    await line('listening on').locator('a').hover()
    await page.locator('#server-1.lit .rust-c .l.lit').waitFor()
    assert.equal(await page.locator('.l.lit').count(), 1)
  },
}

try {
  await scenarios[scenario]()
  assert.deepEqual(problems, [])
} finally {
  await browser.close()
}
