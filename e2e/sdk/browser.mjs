// Opens the page at PAGE in headless Chromium, waits until the page's own script has set
// window.finished, leaves it, and prints every request that the page made, preflights too: method,
// address, status, headers as sent, and the body as far as Chromium tells it. The browser stays open
// until standard input ends, for what a page sends while it is left.
import { createRequire } from 'node:module'
import { execFileSync } from 'node:child_process'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const { chromium } = require('playwright-core')

const executablePath = ['chromium', 'chromium-browser', 'google-chrome']
  .map((name) => {
    try {
      return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    } catch {
      return ''
    }
  })
  .find(Boolean)

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-background-networking'] })
const requests = new Map()
const talk = []
let result = null
try {
  const page = await browser.newPage()
  page.on('console', (m) => talk.push(`${m.type()}: ${m.text()}`))
  page.on('pageerror', (e) => talk.push(`page: ${e.message}`))
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Network.enable', { maxPostDataSize: 1 << 20 })
  const of = (id) => requests.get(id) ?? requests.set(id, {}).get(id)
  cdp.on('Network.requestWillBeSent', ({ requestId, request: { method, url, postData } }) => Object.assign(of(requestId), { method, url, body: postData ?? '' }))
  cdp.on('Network.requestWillBeSentExtraInfo', ({ requestId, headers }) => (of(requestId).headers = headers))
  cdp.on('Network.responseReceived', ({ requestId, response }) => (of(requestId).status = response.status))
  cdp.on('Network.loadingFailed', ({ requestId, errorText }) => (of(requestId).failed = errorText))
  if (process.env.GPC) await page.setExtraHTTPHeaders({ 'Sec-GPC': '1' }) // Chromium has no such preference
  await page.goto(process.env.PAGE)
  await page.waitForFunction(() => window.finished !== undefined, null, { timeout: 15000 })
  result = await page.evaluate(() => window.finished)
  await page.goto('about:blank') // what is still to be sent is sent when the page is left
} catch (e) {
  talk.push(`driver: ${e.message}`)
}
console.log(JSON.stringify({ requests: [...requests.values()], talk, result }))
process.stdin.resume()
await new Promise((done) => process.stdin.once('end', done))
await browser.close()
process.exit(0)
