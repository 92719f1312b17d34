// Sends the six calls of @segment/analytics-node, as its documentation shows them, to the host
// and with the write key given in the environment, the track call with CONTEXT beside its own, and prints what it was told of each delivery.
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const { Analytics } = require('@segment/analytics-node')

const { HOST, WRITE_KEY, PERSON, CONTEXT = '{}' } = process.env
const analytics = new Analytics({ writeKey: WRITE_KEY, host: HOST, flushAt: 3, maxRetries: 3 })
const failures = []
analytics.on('error', (e) => failures.push(`${e.code} ${e.reason?.message ?? e.reason ?? ''}`))

const userId = `sdk-${PERSON}`
const anonymousId = `anon-${PERSON}`
const calls = [
  ['track', { anonymousId, event: 'Viewed', properties: { plan: 'pro', seats: 3 }, context: JSON.parse(CONTEXT) }],
  ['identify', { userId, anonymousId, traits: { email: `${PERSON}@sdk.example`, firstName: 'Aoife', address: { city: 'Dublin' } } }],
  ['page', { userId, name: 'Privacy', category: 'Docs', properties: { url: 'https://example.com/privacy' } }],
  ['screen', { userId, name: 'Settings', properties: { tab: 'data' } }],
  ['group', { userId, groupId: 'org-77', traits: { name: 'Globex', employees: 12 } }],
  ['alias', { userId, previousId: anonymousId }],
]
const sent = []
for (const [type, call] of calls) {
  analytics[type](call, (err, ctx) => {
    if (err) failures.push(`${type}: ${err}`)
    sent.push({ type, messageId: ctx?.event.messageId })
  })
}
await analytics.closeAndFlush()
console.log(JSON.stringify({ sent, failures }))
process.exit(failures.length === 0 ? 0 : 1)
