// Looks at each page of PAGES below URL in headless Chromium, in light and dark, narrow and wide, and asks
// axe-core what is wrong with it; in between without JavaScript. Prints for each look the page's
// heading, its width, what axe-core says, and what was loaded from elsewhere. With SHOTS it writes images.
import { createRequire } from 'node:module'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const { chromium } = require('playwright-core')
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')

const executablePath = ['chromium', 'chromium-browser', 'google-chrome']
  .map((name) => {
    try {
      return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    } catch {
      return ''
    }
  })
  .find(Boolean)

const looks = []
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-background-networking'] })
for (const colorScheme of ['light', 'dark']) {
  for (const width of [360, 768, 1440]) {
    const javaScriptEnabled = width !== 768
    const context = await browser.newContext({ colorScheme, javaScriptEnabled, bypassCSP: true, viewport: { width, height: 900 } })
    for (const path of JSON.parse(process.env.PAGES)) {
      const page = await context.newPage()
      const elsewhere = []
      page.on('request', (r) => r.url().startsWith(process.env.URL) || elsewhere.push(r.url()))
      const answer = await page.goto(process.env.URL + path)
      const look = { path, colorScheme, width, javaScriptEnabled, status: answer.status(), heading: /<h1[^>]*>([^<]+)/.exec(await answer.text())?.[1].trim() ?? '', elsewhere, faults: [] }
      look.lang = await page.locator('html').getAttribute('lang')
      if (javaScriptEnabled) {
        look.wide = await page.evaluate(() => document.documentElement.scrollWidth)
        await page.evaluate(axe)
        const { violations } = await page.evaluate(() => window.axe.run())
        look.faults = violations.map((v) => `${v.impact}: ${v.id} ${v.nodes[0].target}`)
      }
      if (process.env.SHOTS) {
        const name = path.replaceAll('/', '-').replace(/^-/, '').replace(/[^a-z0-9-]+/g, '-')
        await page.screenshot({ path: `${process.env.SHOTS}/${name}-${colorScheme}-${width}.png` })
        if (width === 768 && colorScheme === 'light') {
          await page.emulateMedia({ media: 'print' })
          await page.screenshot({ path: `${process.env.SHOTS}/${name}-print.png` })
        }
      }
      looks.push(look)
      await page.close()
    }
    await context.close()
  }
}
await browser.close()
console.log(JSON.stringify(looks))
