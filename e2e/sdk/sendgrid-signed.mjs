// Plays SendGrid to the webhook at URL: signs arrays of events with the private key KEY (PKCS#8,
// base64), sends them, and asks @sendgrid/eventwebhook, with the public key, what it says of each.
// Prints what it was, that verdict, the status that came, and the event's id.
import { createRequire } from 'node:module'
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const { EventWebhook, EventWebhookHeader } = require('@sendgrid/eventwebhook')

const { URL: hook, KEY, PERSON } = process.env
const key = createPrivateKey({ key: Buffer.from(KEY, 'base64'), format: 'der', type: 'pkcs8' })
const shown = createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('base64') // as SendGrid shows it
const vendor = new EventWebhook()
const publicKey = vendor.convertPublicKeyToECDSA(shown)
const now = Math.floor(Date.now() / 1000)

const verdict = (body, signature, timestamp) => {
  try {
    return vendor.verifySignature(publicKey, body, signature, timestamp)
  } catch {
    return false // it throws at what is no signature at all
  }
}
const results = []
const send = async (what, { email = `${PERSON}@sdk.example`, age = 0, ending = '\r\n', by = key, change = (body) => body, signature, stamp = (t) => t } = {}) => {
  const id = `sg-${PERSON}-${createHash('sha256').update(what).digest('hex').slice(0, 8)}`
  const signed = JSON.stringify([{ email, timestamp: now - age, event: 'delivered', sg_event_id: id, response: '250 OK', 'smtp-id': '<é@x>' }]) + ending
  const at = String(now - age)
  signature ??= sign('sha256', Buffer.from(at + signed), by).toString('base64')
  const [body, timestamp] = [change(signed), stamp(at)]
  const { status } = await fetch(hook, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json; charset=utf-8', [EventWebhookHeader.SIGNATURE()]: signature, [EventWebhookHeader.TIMESTAMP()]: timestamp },
    body,
  })
  results.push({ what, valid: verdict(body, signature, timestamp), status, id, body: '250 OK' })
}
await send('an event')
await send('letters beyond ASCII', { email: `zoë-${PERSON}@sdk.example` })
await send('without a line end', { ending: '' })
await send('signed twenty-three hours ago', { age: 23 * 3600 })

await send('a body changed', { change: (body) => body.replace('250', '251') })
await send('the line end taken off', { change: (body) => body.trimEnd() })
await send('written anew', { change: (body) => JSON.stringify(JSON.parse(body), null, 1) + '\r\n' })
await send('another time', { stamp: (at) => String(Number(at) + 1) })
await send('another key', { by: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey })
await send('no signature', { signature: '' })
await send('no base64', { signature: '****' })
console.log(JSON.stringify(results))
