// Subscribes on the page of sub-processors below URL in headless Chromium, with and without JavaScript: first without
// choosing a list, which is refused with the form again, then rightly; and on a phone the webhook HOOK. Prints the headings,
// what is shown of the webhook, and what axe-core says.
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

const visits = []
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-background-networking'] })
for (const javaScriptEnabled of [true, false]) {
  const context = await browser.newContext({ javaScriptEnabled, bypassCSP: javaScriptEnabled })
  const page = await context.newPage()
  const heading = async () => (await page.locator('h1').first().textContent()).trim()
  const visit = { javaScriptEnabled, faults: [] }
  await page.goto(process.env.URL + '/privacy/sub-processors')
  await page.getByLabel('E-mail address').fill(`reader-${javaScriptEnabled}@example.net`)
  await page.getByLabel('sub-processors', { exact: true }).uncheck()
  await page.getByRole('button', { name: 'Subscribe' }).click()
  visit.wrong = await heading()
  if (javaScriptEnabled) {
    await page.evaluate(axe)
    visit.faults = (await page.evaluate(() => window.axe.run())).violations.map((v) => `${v.impact}: ${v.id}`)
  }
  await page.getByLabel('E-mail address').fill(`reader-${javaScriptEnabled}@example.net`)
  await page.getByLabel('the privacy notice').check()
  await page.getByRole('button', { name: 'Subscribe' }).click()
  visit.heading = await heading()
  visit.at = page.url()
  await page.setViewportSize({ width: 360, height: 740 })
  await page.goto(process.env.URL + '/privacy/subscriptions')
  const form = page.locator('form', { has: page.getByLabel('Webhook address, https') })
  await form.getByLabel('Webhook address, https').fill(`${process.env.HOOK}/${javaScriptEnabled}`)
  await form.getByRole('button', { name: 'Subscribe the webhook' }).click()
  visit.hookHeading = await heading()
  visit.values = await page.locator('dd code').allTextContents()
  if (javaScriptEnabled) {
    await page.evaluate(axe)
    visit.faults.push(...(await page.evaluate(() => window.axe.run())).violations.map((v) => `${v.impact}: ${v.id}`))
    visit.wide = await page.evaluate(() => document.documentElement.scrollWidth)
  }
  if (process.env.SHOT) await page.screenshot({ path: process.env.SHOT, fullPage: true })
  visits.push(visit)
  await context.close()
}
await browser.close()
console.log(JSON.stringify(visits))
