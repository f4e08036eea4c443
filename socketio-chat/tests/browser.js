// The page in a real Chromium: what tests/socketio_chat.rs starts. Ends with
// status 0 when all is as promised.
//
//     node browser.js SCENARIO URL POLLING FOLDER
//
// At POLLING is the same server, and no WebSocket gets through. Prints `stop`
// and `start` when the server is to be stopped, and to be started again at the
// same address. Leaves its screenshots in the folder.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'

const require = createRequire(new URL('../', import.meta.url))
const { chromium } = require('playwright-core')
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const [scenario, url, polling, folder] = process.argv.slice(2)
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

/** A window of its own at the door of the chat. */
async function atDoor(options, address = url) {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  page.setDefaultTimeout(LIMIT)
  page.on('pageerror', error => problems.push(error.message))
  page.on('console', message => {
    // A server that is away, or that no longer knows a session.
    const away = /ERR_CONNECTION_|ERR_SOCKET|ERR_EMPTY|WebSocket|400 \(Bad/
    if (message.type() === 'error' && !away.test(message.text())) {
      problems.push(message.text())
    }
  })
  await page.goto(address)
  return page
}

async function tab(name, options, address) {
  const page = await atDoor(options, address)
  // By keyboard alone: the field has the focus.
  await page.keyboard.type(name)
  await page.keyboard.press('Enter')
  await isIn(page)
  return page
}

const isIn = page => page.waitForSelector('#status[data-state=connected]')
const focused = page => page.evaluate(() => document.activeElement.id)
const text = (page, text) =>
  page.locator('.log:not([hidden]) .message .text', { hasText: text })
    .first().waitFor()
const send = async (page, text) => {
  await page.locator('#text').fill(text)
  await page.locator('#text').press('Enter')
}
const joinRoom = async (page, room) => {
  await page.locator('#room').fill(room)
  await page.locator('#room').press('Enter')
  await page.getByRole('tab', { name: room, selected: true }).waitFor()
}
const isEmpty = async field => assert.equal(await field.inputValue(), '')

/** Does anything stand out at the side? */
async function fits(page, what) {
  const [inner, outer] = await page.evaluate(() =>
    [document.documentElement.scrollWidth, innerWidth])
  assert.ok(inner <= outer, `${what}: ${inner} > ${outer}`)
  for (const id of ['text', 'room']) {
    const box = await page.locator(`#${id}`).boundingBox()
    if (box === null) continue // at the door
    assert.ok(box.x >= 0 && box.x + box.width <= outer, `${what}: #${id}`)
  }
}

/** What axe finds. */
async function isAccessible(page, what) {
  await page.evaluate(AXE)
  const { violations } = await page.evaluate(() => globalThis.axe.run())
  const found = violations.map(({ id, nodes }) =>
    `${id}: ${nodes.map(({ html, failureSummary }) =>
      `${html} ${failureSummary}`).join('\n')}`)
  assert.deepEqual(found, [], what)
}

/** The contrast between two colours of an element's style. */
async function contrast(page, selector, front, pseudo) {
  return page.evaluate(([selector, front, pseudo]) => {
    const element = document.querySelector(selector)
    const luminance = color => {
      const [r, g, b] = color.match(/\d+/g).slice(0, 3).map(Number)
        .map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const style = getComputedStyle(element, pseudo)
    if (pseudo && style.opacity !== '1') return 0
    const [low, high] = [luminance(style[front]),
      luminance(getComputedStyle(element).backgroundColor)]
      .sort((a, b) => a - b)
    return (high + 0.05) / (low + 0.05)
  }, [selector, front, pseudo])
}

const PHONE = {
  viewport: { width: 390, height: 780 },
  isMobile: true,
  hasTouch: true,
  colorScheme: 'dark',
}
const LONG_NAME = '一个非常非常长的中文名字用来试试页面会不会变宽的'

const scenarios = {
  async chat() {
    const ada = await tab('Ada')
    const bob = await tab('Bob', PHONE)

    // Two tabs chat. What one says is text in the other, whatever it looks
    // like.
    const code = '<img src=x onerror="document.title = 1"><b>hello</b>'
    await send(ada, code)
    await text(bob, code)
    assert.equal(await bob.title(), 'Chat')
    assert.equal(await bob.locator('.message img, .message b').count(), 0)
    await send(bob, 'hello Ada')
    await text(ada, 'hello Ada')
    assert.equal(await ada.locator('.message.own').count(), 1)
    assert.match(await ada.locator('.message time').first().innerText(),
      /\d:\d\d/)
    await ada.locator('#here li', { hasText: 'Bob' }).waitFor()
    await ada.locator('#here li', { hasText: 'Ada (you)' }).waitFor()
    await ada.locator('#status', { hasText: 'WebSocket' }).waitFor()

    // Another window with the same name is not oneself.
    const other = await tab('Ada')
    await send(other, 'from the other window')
    await text(ada, 'from the other window')
    assert.equal(await ada.locator('.message.own').count(), 1)
    assert.equal(await other.locator('.message.own').count(), 1)
    await other.context().close()

    // Where no WebSocket gets through, the page goes on by long polling.
    const carl = await tab('Carl', {}, polling)
    await send(carl, 'the long way')
    await text(ada, 'the long way')
    await send(ada, 'heard')
    await text(carl, 'heard')
    await carl.locator('#status', { hasText: 'by long polling' }).waitFor()
    await carl.context().close()

    // A room: who is not in there hears nothing.
    await joinRoom(ada, 'lobby')
    await ada.locator('#here-title', { hasText: 'In lobby' }).waitFor()
    await send(ada, 'is anybody here?')
    await text(ada, 'is anybody here?')
    await joinRoom(bob, 'lobby')
    await ada.locator('#here li', { hasText: 'Bob' }).waitFor()
    await send(bob, 'in the lobby')
    await text(ada, 'in the lobby')
    assert.equal(await bob.getByText('is anybody here?').count(), 0)
    // Elsewhere one sees that there is something new.
    await bob.getByRole('tab', { name: 'Everybody' }).click()
    await send(ada, 'something new')
    await bob.locator('.unread', { hasText: '1' }).waitFor()
    // Arrow keys go from one room to the next.
    await bob.getByRole('tab', { name: 'Everybody' }).press('ArrowRight')
    await text(bob, 'something new')

    // No room's names stand under another one's title.
    assert.equal(await ada.evaluate(() => {
      document.querySelector('[role=tab]').click()
      return document.querySelector('#here').children.length
    }), 0)
    await ada.getByRole('tab', { name: 'lobby' }).click()

    // The server is gone. What is typed now is not lost, and it is said that
    // nothing can be sent and no room be joined.
    console.log('stop')
    await ada.locator('#status', { hasText: 'connecting again' }).waitFor()
    await send(ada, 'is nobody there?')
    await ada.locator('#problem', { hasText: 'your text stays' }).waitFor()
    assert.equal(await ada.locator('#text').inputValue(), 'is nobody there?')
    await ada.locator('#room').fill('cellar')
    await ada.locator('#room').press('Enter')
    await ada.locator('#problem', { hasText: 'join the room later' }).waitFor()
    assert.equal(await ada.locator('#room').inputValue(), 'cellar')

    // It comes back: so do they, into their room.
    console.log('start')
    for (const page of [ada, bob]) await isIn(page)
    await ada.locator('#here li', { hasText: 'Bob' }).waitFor()
    await ada.locator('.log:not([hidden]) .news', { hasText: 'is lost' })
      .waitFor()
    // Bob is still where he was: on the tab.
    assert.equal(await bob.evaluate(() =>
      document.activeElement.getAttribute('role')), 'tab')
    await send(ada, 'back again')
    await text(bob, 'back again')

    // What the server refuses stays to be put right.
    await send(ada, 'x'.repeat(2001))
    await ada.locator('#problem', { hasText: '2000' }).waitFor()
    assert.equal((await ada.locator('#text').inputValue()).length, 2001)
  },

  // Who comes in, and who does not.
  async door() {
    const ada = await atDoor()
    // Nothing closes the door for good.
    for (const key of ['Escape', 'Escape', 'Escape']) {
      await ada.keyboard.press(key)
    }
    for (const wrong of ['', '   ', 'A\u202eda', 'x'.repeat(25)]) {
      await ada.locator('#name').fill(wrong)
      await ada.locator('#name').press('Enter')
      await ada.locator('#refused', { hasText: '1 to 24 visible' }).waitFor()
      assert.equal(await focused(ada), 'name')
      await ada.locator('#refused').evaluate(problem => {
        problem.textContent = ''
      })
    }
    // Nobody answers: it is said, and it goes on when somebody does.
    console.log('stop')
    await ada.waitForFunction(() => fetch('/').then(() => false, () => true))
    await ada.locator('#name').fill('Ada')
    await ada.locator('#name').press('Enter')
    await ada.locator('#refused', { hasText: 'No server answers' }).waitFor()
    console.log('start')
    await isIn(ada)
    assert.equal(await focused(ada), 'text')
    assert.ok(await ada.locator('#refused').isHidden())
  },

  // Several rooms, long names, and what is typed but not sent.
  async rooms() {
    for (const width of [390, 320]) {
      const viewport = { width, height: 780 }
      const page = await tab(LONG_NAME, { ...PHONE, viewport })
      for (const room of ['lobby', 'kitchen', 'garden', LONG_NAME]) {
        await joinRoom(page, room)
        await fits(page, `${width}: ${room}`)
        const tab = await page.getByRole('tab', { selected: true })
          .boundingBox()
        assert.ok(tab.x >= 0 && tab.x + tab.width <= width, `${room}: its tab`)
      }
      await send(page, 'x'.repeat(500))
      await text(page, 'x'.repeat(500))
      await fits(page, `${width}: a long word`)
      await page.screenshot({ path: join(folder, `rooms-${width}.png`) })
      await page.context().close()
    }

    const ada = await tab('Ada')
    await joinRoom(ada, 'lobby')
    await ada.locator('#text').fill('only for the lobby')
    await ada.getByRole('tab', { name: 'Everybody' }).click()
    await isEmpty(ada.locator('#text'))
    await ada.locator('#text').fill('for everybody')
    await ada.getByRole('tab', { name: 'lobby' }).click()
    assert.equal(await ada.locator('#text').inputValue(), 'only for the lobby')

    // Who leaves a room by keyboard goes on from there by keyboard.
    await ada.locator('#leave').press('Enter')
    assert.equal(await ada.evaluate(() =>
      document.activeElement.textContent), 'Everybody')
    assert.equal(await ada.locator('#text').inputValue(), 'for everybody')
    assert.equal(await ada.getByRole('tab').count(), 1)
    assert.ok(await ada.locator('#leave').isHidden())
  },

  // Older messages, links, and writing from right to left.
  async reading() {
    const [ada, bob] = [await tab('Ada'), await tab('Bob')]
    for (let i = 0; i < 40; i += 1) await send(ada, `message ${i}`)
    await text(bob, 'message 39')
    const log = bob.locator('.log')
    await log.evaluate(log => { log.scrollTop = 0 })
    await send(ada, 'something new')
    await bob.locator('#newer').waitFor()
    assert.equal(await log.evaluate(log => log.scrollTop), 0)
    await bob.locator('#newer').click()
    await bob.locator('#newer').waitFor({ state: 'hidden' })
    const isShown = async words => {
      await text(bob, words)
      const shown = await bob.locator('.message', { hasText: words })
        .evaluate(message => {
          const log = message.parentElement.getBoundingClientRect()
          const { top, bottom } = message.getBoundingClientRect()
          return top >= log.top - 1 && bottom <= log.bottom + 1
        })
      assert.ok(shown, words)
    }
    await isShown('something new')
    // One's own message is seen at once.
    await log.evaluate(log => { log.scrollTop = 0 })
    await send(bob, 'here I am')
    await isShown('here I am')

    await send(ada, 'see https://example.org/a(b)?c=1#d, or (http://x.test). ' +
      '看https://例子.测试/路径。javascript:alert(1)')
    await text(bob, 'see https')
    const links = await bob.locator('.message a').evaluateAll(links =>
      links.map(link => [link.textContent, link.target, link.rel]))
    const rest = ['_blank', 'noopener noreferrer nofollow']
    assert.deepEqual(links, [['https://example.org/a(b)?c=1#d', ...rest],
      ['http://x.test', ...rest], ['https://例子.测试/路径', ...rest]])

    await send(ada, 'مرحبا, Bob')
    await text(bob, 'مرحبا')
    const direction = await bob.locator('.message .text').last()
      .evaluate(text => getComputedStyle(text).direction)
    assert.equal(direction, 'rtl')
    for (const field of ['#name', '#room', '#text']) {
      assert.equal(await bob.locator(field).getAttribute('dir'), 'auto')
    }
  },

  // English and Chinese, at three widths, by day and by night: axe finds
  // nothing, and nothing stands out.
  async looks() {
    const locales = ['en-GB', 'zh-CN'] // in turn
    for (const [width, height] of [[1280, 800], [390, 780], [320, 640]]) {
      locales.reverse()
      for (const colorScheme of ['light', 'dark']) {
        for (const locale of locales.reverse().slice(1)) {
          const what = `${width}-${colorScheme}-${locale.slice(0, 2)}`
          const options = { viewport: { width, height }, colorScheme, locale }
          const door = await atDoor(options)
          await isAccessible(door, `${what}: the door`)
          await fits(door, `${what}: the door`)
          await door.locator('#name').fill(' ')
          await door.locator('#name').press('Enter')
          await door.locator('#refused').waitFor()
          await isAccessible(door, `${what}: refused`)
          await door.screenshot({ path: join(folder, `door-${what}.png`) })
          await door.context().close()

          const page = await tab('Ada', options)
          const bob = await tab(LONG_NAME, options)
          await joinRoom(page, 'lobby')
          await joinRoom(bob, 'lobby')
          await page.locator('#here li').nth(1).waitFor()
          await send(page, 'hello 你好')
          await send(bob, 'See https://example.org/')
          await text(page, 'See')
          await joinRoom(page, 'kitchen')
          await send(bob, 'Are you still there?')
          await page.locator('.unread').waitFor()
          await send(page, 'x'.repeat(2001))
          await page.locator('#problem').waitFor()
          await isAccessible(page, `${what}: a problem`)
          await page.screenshot({ path: join(folder, `problem-${what}.png`) })
          await page.getByRole('tab', { name: 'lobby' }).click()
          await page.locator('#here li').nth(1).waitFor()
          await isAccessible(page, what)
          await fits(page, what)
          for (const [front, pseudo, least] of
            [['color', '::placeholder', 4.5], ['borderTopColor', null, 3]]) {
            const found = await contrast(page, '#text', front, pseudo)
            assert.ok(found >= least, `${what}: ${front} ${found}`)
          }
          await page.screenshot({ path: join(folder, `chat-${what}.png`) })
          await page.context().close()
          await bob.context().close()
        }
      }
    }
  },

  // The server disconnects us each time: the page tries again, for four
  // seconds here, but not at once. How long it pauses, the server measures.
  async kicked() {
    const page = await tab('Ada')
    await page.waitForTimeout(4000)
  },

  // A window of 1280 x 1024 with a zoom of 400 %: nothing has to be pushed
  // from side to side, and the log can be read.
  async zoom() {
    const page = await tab('Ada', { viewport: { width: 320, height: 256 } })
    await send(page, 'can you read this?')
    await text(page, 'can you read this?')
    await fits(page, 'zoom')
    const log = await page.locator('.log').boundingBox()
    assert.ok(log.height >= 100, `${log.height}`)
    await page.locator('.message').last().scrollIntoViewIfNeeded()
    const { y, height } = await page.locator('.message').last().boundingBox()
    assert.ok(y >= 0 && y + height <= 256, `${y}`)
    await page.screenshot({ path: join(folder, 'zoom.png') })
  },

  // Everything the page says, in the browser's language.
  async chinese() {
    for (const [locale, lang, title, button] of [
      ['zh-CN', 'zh-Hans', '聊天', '进入'],
      ['zh-TW', 'zh-Hans', '聊天', '进入'],
      ['de-DE', 'en', 'Chat', 'Come in'],
    ]) {
      const page = await atDoor({ locale })
      assert.equal(await page.evaluate(() => document.documentElement.lang),
        lang)
      assert.equal(await page.title(), title)
      await page.getByRole('button', { name: button, exact: true }).waitFor()
      await page.context().close()
    }
    const ada = await tab('李雷', { locale: 'zh-CN' })
    const bob = await tab('Bob')
    await joinRoom(ada, '大厅')
    await joinRoom(bob, '大厅')
    await ada.locator('.log:not([hidden]) .news', { hasText: 'Bob 来了' })
      .waitFor()
    await ada.locator('#here li', { hasText: '李雷（你）' }).waitFor()
    await ada.locator('#status', { hasText: '已连接' }).waitFor()
    await send(ada, 'x'.repeat(2001))
    await ada.locator('#problem', { hasText: '1 到 2000 个字符' }).waitFor()
    await bob.locator('#leave').click()
    await ada.locator('.log:not([hidden]) .news', { hasText: 'Bob 走了' })
      .waitFor()
    await bob.context().close()
    console.log('stop')
    await ada.locator('#status', { hasText: '正在重新连接' }).waitFor()
    await ada.locator('#text').press('Enter')
    await ada.locator('#problem', { hasText: '未连接' }).waitFor()
    console.log('start')
    await ada.locator('.news', { hasText: '已重新连接' }).first().waitFor({
      state: 'attached',
    })
    // No English is left, but for what is a name: of a person or a thing.
    const words = await ada.evaluate(() => {
      const texts = [document.body.innerText]
      for (const element of document.querySelectorAll('*')) {
        for (const name of ['placeholder', 'title', 'aria-label', 'alt']) {
          texts.push(element.getAttribute(name) ?? '')
        }
      }
      return texts.join(' ').match(/[A-Za-z]{2,}/g) ?? []
    })
    const names = ['WebSocket', 'Bob', 'AM', 'PM']
    assert.deepEqual(words.filter(word => !names.includes(word)), [])

    // Each reason that a server may give has its Chinese.
    const source = ['rooms.js', 'chat.js'].map(name =>
      readFileSync(new URL(`../node/${name}`, import.meta.url), 'utf8')).join()
    const reasons = [...source.matchAll(
      /'((?:a|you) (?:[^'\\]|\\')*(?:characters|a text|room|already))'/g)]
      .map(([, reason]) => reason.replaceAll('\\\'', '\''))
    assert.ok(reasons.length >= 6, `${reasons}`)
    for (const reason of reasons) {
      const shown = await ada.evaluate(reason =>
        globalThis.translate(reason), reason)
      assert.notEqual(shown, reason)
    }
  },
}

await scenarios[scenario]()
assert.deepEqual(problems, [])
await browser.close()
