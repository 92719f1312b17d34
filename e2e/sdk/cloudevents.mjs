// Sends events with the cloudevents SDK, as its documentation shows it, to the sink URL with the
// source's key: one of each sort in binary and in structured mode, and two as a batch, for which the
// SDK has the media type and no function. Prints each as its JSON format has it. In binary mode the SDK
// puts an extension into a header as it is, so that one has ASCII only.
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const { CloudEvent, CONSTANTS, Mode, HTTP, emitterFor, httpTransport } = require('cloudevents')

const { URL: sink, KEY, PERSON } = process.env
const headers = { authorization: `Bearer ${KEY}` }
const event = (name, more) => new CloudEvent({ id: `ce-${PERSON}-${name}`, type: 'com.example.customer.updated', source: '/crm/eu', time: '2026-01-05T10:00:00.000Z', ...more })
const sorts = {
  json: { subject: `ce-${PERSON}`, data: { email: `${PERSON}@sdk.example`, city: 'Gdańsk', n: 3 } },
  text: { subject: `${PERSON}@sdk.example`, datacontenttype: 'text/plain', data: 'Hello, Zoë' },
  bytes: { subject: `ce-${PERSON}`, datacontenttype: 'image/png', data: new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0xff]) },
  extended: { subject: 'order-17', subjecttype: 'user_id', subjectid: `ce-${PERSON}`, region: 'PL "x"', data: [1, 2] },
}
const sent = []
for (const mode of [Mode.BINARY, Mode.STRUCTURED]) {
  const emit = emitterFor(httpTransport(sink), { binding: HTTP, mode })
  for (const [name, more] of Object.entries(sorts)) {
    const e = event(`${mode}-${name}`, more)
    await emit(e, { headers })
    sent.push({ mode, event: e })
  }
}
const batch = [event('batch-1', sorts.json), event('batch-2', sorts.extended)]
const answer = await fetch(sink, { method: 'POST', headers: { ...headers, 'Content-Type': CONSTANTS.DEFAULT_CE_CONTENT_TYPE.replace('+json', '-batch+json') }, body: JSON.stringify(batch) })
for (const e of batch) sent.push({ mode: 'batch', event: e })
console.log(JSON.stringify({ sent, status: answer.status }))
