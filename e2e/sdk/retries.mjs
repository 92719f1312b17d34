// Sends three events with the SDK named in SDK to each of HOSTS, given as {"name":"address"}, all at
// once, and prints under each name the ids that it gave them and what the SDK says of their delivery.
// The timeout of a request is TIMEOUT milliseconds.
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const { HOSTS, WRITE_KEY, PERSON, SDK, TIMEOUT } = process.env
const timeout = Number(TIMEOUT)

const segment = async (host, call) => {
  const { Analytics } = require('@segment/analytics-node')
  const analytics = new Analytics({ writeKey: WRITE_KEY, host, flushAt: 3, maxRetries: 5, httpRequestTimeout: timeout })
  const failures = []
  analytics.on('error', (e) => failures.push(`${e.code} ${e.reason?.message ?? e.reason ?? ''}`))
  for (const n of [1, 2, 3]) analytics.track(call(n))
  await analytics.closeAndFlush({ timeout: 60000 })
  return failures
}

// The first event of this SDK goes out alone, the others together.
const rudder = async (host, call) => {
  const Rudder = require('@rudderstack/rudder-sdk-node')
  const failures = []
  const client = new Rudder(WRITE_KEY, { dataPlaneUrl: host, flushAt: 2, flushInterval: 50, timeout, logLevel: 'none', errorHandler: (e) => failures.push(e.message) })
  await Promise.all([1, 2, 3].map((n) => new Promise((done) => client.track(call(n), (e) => { if (e) failures.push(e.message); done() }))))
  return failures
}

const out = {}
await Promise.all(
  Object.entries(JSON.parse(HOSTS)).map(async ([name, host]) => {
    const id = (n) => `${SDK}-${PERSON}-${name}-${n}`
    const failures = await { segment, rudder }[SDK](host, (n) => ({ userId: `${SDK}-${PERSON}-${name}`, event: 'Viewed', properties: { n }, messageId: id(n) }))
    out[name] = { ids: [1, 2, 3].map(id), failures }
  }),
)
console.log(JSON.stringify(out))
process.exit(0)
