// Sends two batches with @segment/analytics-node and its oauthSettings, as its documentation shows
// them: the private key in PRIVATE_KEY, the source's id in CLIENT_ID, and the region in AUTH_SERVER
// and HOST, which may be two nodes of it. Prints what it was told of each delivery.
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const { Analytics } = require('@segment/analytics-node')

const { HOST, AUTH_SERVER, WRITE_KEY, CLIENT_ID, PRIVATE_KEY, PERSON } = process.env
const analytics = new Analytics({
  writeKey: WRITE_KEY,
  host: HOST,
  flushAt: 1,
  maxRetries: 1,
  oauthSettings: { clientId: CLIENT_ID, clientKey: PRIVATE_KEY, keyId: 'the-key', authServer: AUTH_SERVER },
})
const failures = []
analytics.on('error', (e) => failures.push(`${e.code} ${e.reason?.message ?? e.reason ?? ''}`))
const requests = []
analytics.on('http_request', ({ headers }) => requests.push(headers.Authorization.split(' ')[0]))
const sent = []
for (const n of [1, 2]) {
  await new Promise((done) => analytics.track({ userId: `oauth-${PERSON}`, event: 'Viewed', properties: { n } }, (err, ctx) => {
    if (err) failures.push(String(err))
    sent.push(ctx?.event.messageId)
    done()
  }))
}
await analytics.closeAndFlush()
console.log(JSON.stringify({ sent, failures, requests }))
process.exit(0)
