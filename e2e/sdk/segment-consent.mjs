// Sends events of @segment/analytics-node with a consent object in their context, to the host and with the
// write key given in the environment, and prints what it was told of each delivery.
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const { Analytics } = require('@segment/analytics-node')

const { HOST, WRITE_KEY, PERSON } = process.env
const analytics = new Analytics({ writeKey: WRITE_KEY, host: HOST, flushAt: 1, maxRetries: 3 })
const failures = []
analytics.on('error', (e) => failures.push(`${e.code} ${e.reason?.message ?? e.reason ?? ''}`))

const userId = `server-${PERSON}`
const context = { consent: { categoryPreferences: { Advertising: false, Analytics: true, Marketing: true, DataSharing: true } } }
const sent = []
for (const [type, call] of [
  ['identify', { userId, traits: { email: `${PERSON}@consent.example` }, context }],
  ['track', { userId, event: 'Viewed', context }],
]) {
  await new Promise((done) =>
    analytics[type](call, (err, ctx) => {
      if (err) failures.push(`${type}: ${err}`)
      sent.push({ type, messageId: ctx?.event.messageId })
      done()
    }),
  )
}
await analytics.closeAndFlush()
console.log(JSON.stringify({ sent, failures }))
process.exit(failures.length === 0 ? 0 : 1)
