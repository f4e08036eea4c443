// The page in a real Chromium: what tests/socketio_chat.rs starts. Ends with
// status 0 when all is as promised.
//
//     node browser.js URL POLLING FOLDER
//
// At POLLING is the same server, and no WebSocket gets through. Says `restart`
// when the server is to be started again at the same address, and leaves its
// screenshots in the folder.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'

const require = createRequire(new URL('../node/', import.meta.url))
const { chromium } = require('playwright-core')
const [url, polling, folder] = process.argv.slice(2)
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

async function tab(name, options, address = url) {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  page.setDefaultTimeout(LIMIT)
  page.on('pageerror', error => problems.push(`${name}: ${error.message}`))
  page.on('console', message => {
    const away = /ERR_CONNECTION_REFUSED|ERR_SOCKET|ERR_EMPTY|WebSocket/
    if (message.type() === 'error' && !away.test(message.text())) {
      problems.push(`${name}: ${message.text()}`)
    }
  })
  await page.goto(address)
  // By keyboard alone: the field has the focus.
  await page.keyboard.type(name)
  await page.keyboard.press('Enter')
  await page.waitForSelector('#status[data-state=connected]')
  return page
}

const phone = {
  viewport: { width: 390, height: 780 },
  isMobile: true,
  hasTouch: true,
  colorScheme: 'dark',
}
const ada = await tab('Ada')
const bob = await tab('Bob', phone)
const text = (page, text) =>
  page.locator('.log:not([hidden]) .message .text', { hasText: text }).waitFor()
const say = async (page, text) => {
  await page.locator('#text').fill(text)
  await page.locator('#text').press('Enter')
}

// Two tabs chat. What one says is text in the other, whatever it looks like.
const code = '<img src=x onerror="document.title = 1"><b>hello</b>'
await say(ada, code)
await text(bob, code)
assert.equal(await bob.title(), 'Chat')
assert.equal(await bob.locator('.message img, .message b').count(), 0)
await say(bob, 'hello Ada')
await text(ada, 'hello Ada')
assert.equal(await ada.locator('.message.own').count(), 1)
assert.match(await ada.locator('.message time').first().innerText(), /\d:\d\d/)
await ada.locator('#here li', { hasText: 'Bob' }).waitFor()
await ada.locator('#here li', { hasText: 'Ada (you)' }).waitFor()
await ada.locator('#status', { hasText: 'WebSocket' }).waitFor()

// Where no WebSocket gets through, the page goes on by long polling.
const carl = await tab('Carl', {}, polling)
await say(carl, 'the long way')
await text(ada, 'the long way')
await say(ada, 'heard')
await text(carl, 'heard')
await carl.locator('#status', { hasText: 'by long polling' }).waitFor()
await carl.context().close()

// A room: who is not in there hears nothing.
await ada.locator('#room').fill('lobby')
await ada.locator('#room').press('Enter')
await ada.locator('#here-title', { hasText: 'In lobby' }).waitFor()
await say(ada, 'is anybody here?')
await text(ada, 'is anybody here?')
await bob.locator('#room').fill('lobby')
await bob.locator('#room').press('Enter')
// Ada may see him there before his own page does.
await bob.locator('#here-title', { hasText: 'In lobby' })
  .waitFor({ state: 'attached' })
await ada.locator('#here li', { hasText: 'Bob' }).waitFor()
await say(bob, 'in the lobby')
await text(ada, 'in the lobby')
assert.equal(await bob.getByText('is anybody here?').count(), 0)
// Elsewhere one sees that there is something new.
await bob.getByRole('tab', { name: 'Everybody' }).click()
await say(ada, 'something new')
await bob.locator('.unread', { hasText: '1' }).waitFor()
// Arrow keys go from one room to the next.
await bob.getByRole('tab', { name: 'Everybody' }).press('ArrowRight')
await text(bob, 'something new')

// On neither screen does anything stand out at the side.
for (const page of [ada, bob]) {
  const [inner, outer] = await page.evaluate(() =>
    [document.documentElement.scrollWidth, window.innerWidth])
  assert.ok(inner <= outer, `${inner} > ${outer}`)
}
await ada.screenshot({ path: join(folder, 'desktop.png') })
await bob.screenshot({ path: join(folder, 'phone.png') })

// No room's names stand under another one's title.
assert.equal(await ada.evaluate(() => {
  document.querySelector('[role=tab]').click()
  return document.querySelector('#here').children.length
}), 0)
await ada.getByRole('tab', { name: 'lobby' }).click()

// The server is gone, and comes back: so do they, into their room.
console.log('restart')
await ada.locator('#status', { hasText: 'connecting again' }).waitFor()
assert.ok(await ada.locator('#say button').isDisabled())
for (const page of [ada, bob]) {
  await page.waitForSelector('#status[data-state=connected]')
}
await ada.locator('#here li', { hasText: 'Bob' }).waitFor()
await ada.locator('.log:not([hidden]) .news', { hasText: 'is lost' }).waitFor()
// Bob is still where he was: on the tab.
assert.equal(await bob.evaluate(() =>
  document.activeElement.getAttribute('role')), 'tab')
await say(ada, 'back again')
await text(bob, 'back again')

// What the server refuses stays to be put right.
await ada.locator('#text').evaluate(field => { field.maxLength = 5000 })
await say(ada, 'x'.repeat(2001))
await ada.locator('#problem', { hasText: '2000' }).waitFor()
assert.equal((await ada.locator('#text').inputValue()).length, 2001)

// Who is refused at the door is asked again.
const eve = await (await browser.newContext()).newPage()
await eve.goto(url)
await eve.locator('#name').evaluate(field => { field.maxLength = 50 })
await eve.locator('#name').fill('x'.repeat(25))
await eve.locator('#name').press('Enter')
await eve.locator('#refused', { hasText: '24 characters' }).waitFor()
await eve.locator('#name').fill('Eve')
await eve.locator('#name').press('Enter')
await eve.waitForSelector('#status[data-state=connected]')

assert.deepEqual(problems, [])
await browser.close()
