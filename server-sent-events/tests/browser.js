// The page in a real Chromium: what tests/server_sent_events.rs starts. Ends
// with status 0 when all is as promised.
//
//     node browser.js SCENARIO URL
//
// Prints `stop` and `start` when the server is to be stopped, and to be started
// again at the same address.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'

const [scenario, url] = process.argv.slice(2)

const executablePath = process.env.PATH.split(delimiter)
  .map(place => join(place, 'chromium')).find(existsSync)
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
    '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
const page = await browser.newPage()
page.setDefaultTimeout(150_000)
const problems = []
page.on('pageerror', error => problems.push(error.message))
await page.goto(url)

const isShown = text => page.locator('#events li', { hasText: text }).waitFor()
const status = text => page.locator('#status', { hasText: text }).waitFor()

const scenarios = {
  async restart() {
    await isShown('tick 3')
    await status('connected')
    assert.equal(await page.locator('#events li').count(), 3)
    console.log('stop')
    await status('connection lost')
    console.log('start')
    await isShown('some events are forgotten')
    await isShown('again 1')
    await status('connected')
    // What it had is not sent again.
    assert.equal(await page.locator('#events li').count(), 5)
  },

  // The page has one stream. Six more are wanted: five get through. When one
  // is closed, the last one does, too.
  async six() {
    await isShown('tick 3')
    const open = await page.evaluate(async () => {
      const sources = []
      const opened = []
      for (let number = 0; number < 6; number += 1) {
        const source = new EventSource('/events')
        sources.push(source)
        opened.push(new Promise(resolve => { source.onopen = resolve }))
      }
      await Promise.all(opened.slice(0, 5))
      await new Promise(resolve => setTimeout(resolve, 500)) // time to open
      const before = sources.filter(({ readyState }) => readyState === 1)
      sources[0].close()
      await opened[5]
      return before.length
    })
    assert.equal(open, 5)
  },
}

await scenarios[scenario]()
assert.deepEqual(problems, [])
await browser.close()
