// When the pages at URL are seen for the first time, in milliseconds after they
// were asked for: of each page the least, the median and the most.
//
//     node page/tests/paint.js URL [FILE ...]

import { launch } from './chromium.js'

const TIMES = 11
const [url, ...given] = process.argv.slice(2)
const files = given.length > 0 ? given : ['index.html', 'tcp-echo.html']
const browser = await launch()
for (const file of files) {
  const seen = []
  for (let time = 0; time < TIMES; time += 1) {
    // A new context has nothing in its cache.
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(url + file)
    seen.push(await page.evaluate(async () => {
      const first = await new Promise(painted => {
        new PerformanceObserver(entries => entries.getEntries()
          .filter(({ name }) => name === 'first-contentful-paint')
          .forEach(painted)).observe({ type: 'paint', buffered: true })
      })
      const [{ responseEnd, domInteractive }] =
        performance.getEntriesByType('navigation')
      return { first: first.startTime, responseEnd, domInteractive }
    }))
    await context.close()
  }
  const of = name => {
    const sorted = seen.map(it => it[name]).sort((one, other) => one - other)
    return [0, TIMES >> 1, TIMES - 1].map(at => sorted[at].toFixed(0)).join(' ')
  }
  console.log(`${file}: paint ${of('first')}, response ${of('responseEnd')}, ` +
    `parsed ${of('domInteractive')}`)
}
await browser.close()
