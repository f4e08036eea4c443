// Pictures of the pages that `cargo run -- --web` serves at URL: the three in
// docs/, or into DIR each lesson at 1280 light, 1280 dark and 390 pixels, to be
// looked at.
//
//     node page/tests/pictures.js URL [DIR]

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { launch } from './chromium.js'

const [url, folder] = process.argv.slice(2)
const browser = await launch()

async function open(file, width, height, colorScheme) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  await page.goto(url + file)
  return page
}

/** The whole page, in as many pictures as it takes. */
async function whole(file, name, width, height, colorScheme) {
  const page = await open(file, width, height, colorScheme)
  const total = await page.evaluate(() => document.documentElement.scrollHeight)
  // What is at the window's edges covers something.
  const step = height - 140
  for (let part = 0; part * step < total - 140; part += 1) {
    await page.evaluate(top => scrollTo(0, top), part * step)
    const path = join(folder, `${name}-${String(part).padStart(2, '0')}.png`)
    await page.screenshot({ path })
  }
  await page.context().close()
}

/** tcp-echo's steps, a run in the dark, and the same on a phone. */
async function docs() {
  const path = name =>
    new URL(`../../docs/${name}.png`, import.meta.url).pathname
  const steps = await open('tcp-echo.html#server-4', 1280, 800, 'light')
  await steps.screenshot({ path: path('page') })
  const phone = await open('tcp-echo.html#server-6', 390, 800, 'light')
  await phone.screenshot({ path: path('page-phone') })
  const run = await open('tcp-echo.html#server-6', 1280, 800, 'dark')
  await run.locator('#run').click()
  await run.locator('#stop:not([disabled])').waitFor()
  await run.locator('#run:not([disabled])').waitFor()
  await run.locator('#log li.server a', { hasText: 'send:' }).last().hover()
  await run.locator('.l.lit').first().waitFor()
  await run.screenshot({ path: path('page-run') })
}

if (folder) {
  mkdirSync(folder, { recursive: true })
  const start = await open('index.html', 1280, 800, 'light')
  const files = await start.locator('.sheet a').evaluateAll(links =>
    links.map(link => link.getAttribute('href')))
  for (const file of files) {
    const name = file.replace('.html', '')
    await whole(file, `${name}-light`, 1280, 1800, 'light')
    await whole(file, `${name}-dark`, 1280, 1800, 'dark')
    await whole(file, `${name}-phone`, 390, 1800, 'light')
  }
} else {
  await docs()
}
await browser.close()
