// Sends the six calls of @rudderstack/rudder-sdk-node to the data plane and with the write key given
// in the environment, and prints the messages that the SDK says it delivered and what failed. The
// SDK names messages itself, and tells nobody how: so they are named here.
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const Rudder = require('@rudderstack/rudder-sdk-node')

const { HOST, WRITE_KEY, PERSON } = process.env
const failures = []
const sent = []
const fail = (what, e) => failures.push(`${what}: ${e.response?.status ?? e.code ?? ''} ${e.message}`)
const rudder = new Rudder(WRITE_KEY, { dataPlaneUrl: HOST, flushAt: 3, errorHandler: (e) => fail('handler', e) })

const userId = `sdk-${PERSON}`
const anonymousId = `anon-${PERSON}`
const calls = [
  ['track', { anonymousId, event: 'Viewed', properties: { plan: 'pro', seats: 3 } }],
  ['identify', { userId, anonymousId, traits: { email: `${PERSON}@sdk.example`, firstName: 'Aoife', address: { city: 'Dublin' } } }],
  ['page', { userId, name: 'Privacy', category: 'Docs', properties: { url: 'https://example.com/privacy' } }],
  ['screen', { userId, name: 'Settings', properties: { tab: 'data' } }],
  ['group', { userId, groupId: 'org-77', traits: { name: 'Globex', employees: 12 } }],
  ['alias', { userId, previousId: anonymousId }],
]
const deliver = ([type, call]) =>
  new Promise((done) => {
    const messageId = `rudder-${type}-${PERSON}`
    rudder[type]({ ...call, messageId }, (e) => {
      if (e) fail(type, e)
      else sent.push({ type, messageId })
      done()
    })
  })
await Promise.all(calls.map(deliver))
console.log(JSON.stringify({ sent, failures }))
process.exit(failures.length === 0 ? 0 : 1)
