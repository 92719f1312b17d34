// Plays Twilio to the webhook at URL: signs with the twilio package's own functions, sends, and asks
// the package's validators what a server written with them would have said. Prints one line of JSON
// for all requests: what it was, the validator's verdict, the status that came, and the record's id.
import { createRequire } from 'node:module'
import http from 'node:http'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const { getExpectedTwilioSignature, getExpectedBodyHash, validateRequest, validateRequestWithBody } = require('twilio')

const { URL: hook, TOKEN, PERSON } = process.env
const from = process.env.PHONE

// The path goes out as it is written: fetch would escape more of it than Twilio does.
const post = (url, headers, body) =>
  new Promise((done, fail) => {
    const [, host, port, path] = /^http:\/\/([^:/]+):(\d+)(.*)$/.exec(url)
    const req = http.request({ host, port, path, method: 'POST', headers: { ...headers, 'Content-Length': Buffer.byteLength(body) } }, (res) => {
      res.resume().on('end', () => done(res.statusCode))
    })
    req.on('error', fail).end(body)
  })

const formOf = (params) => {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) for (const v of [value].flat()) form.append(name, v)
  return form.toString()
}
const message = (n, more = {}) => ({ MessageSid: `SM-${PERSON}-${n}`, AccountSid: 'AC00', From: from, To: '+447700900001', Body: `Hello ${n}`, NumMedia: '0', SmsStatus: 'received', ...more })

const results = []
// form sends params; what is signed and what the validator is told may be something else.
const form = async (what, { url = hook, params, signedURL = url, signed = params, token = TOKEN, signature }) => {
  signature ??= getExpectedTwilioSignature(token, signedURL, signed)
  const status = await post(url, { 'Content-Type': 'application/x-www-form-urlencoded', ...(signature && { 'X-Twilio-Signature': signature }) }, formOf(params))
  results.push({ what, valid: validateRequest(TOKEN, signature, url, params), status, id: params.MessageSid, body: params.Body })
}
const json = async (what, { body, signedBody = body, token = TOKEN, id }) => {
  const url = `${hook}?bodySHA256=${getExpectedBodyHash(signedBody)}`
  const signature = getExpectedTwilioSignature(token, url, {})
  const status = await post(url, { 'Content-Type': 'application/json', 'X-Twilio-Signature': signature }, body)
  results.push({ what, valid: validateRequestWithBody(TOKEN, signature, url, body), status, id, body: 'transcript' })
}
const next = (more) => message(results.length, more)

await form('a message', { params: next() })
await form('letters beyond ASCII, signs, line ends', { params: next({ Body: 'Zoë 😀 & = + % 100\r\n"quoted"' }) })
await form('empty values', { params: next({ FromCity: '', FromZip: '' }) })
await form('names out of order', { params: next({ a: '1', Z: '2', _: '3', ä: '4' }) })
await form('a name more than once', { params: next({ Part: ['b', 'a', 'b'] }) })
await form('a query', { url: `${hook}?user=7&tag=a%20b`, params: next() })
await form('a path below the source', { url: `${hook}/sms/in?x=1`, params: next() })
await form('a quotation mark in the query', { url: `${hook}?name=o'neil&q=(x)*!~`, params: next() })
await form('the same, escaped by whoever signed', { url: `${hook}?name=o'neil`, signedURL: `${hook}?name=o%27neil`, params: next() })
await form('a plus in the query, signed as a space', { url: `${hook}?name=a+b`, signedURL: `${hook}?name=a%20b`, params: next() })
await form('signed without the port', { signedURL: hook.replace(/:\d+\//, '/'), params: next() })
await json('JSON', { id: `GT-${PERSON}`, body: JSON.stringify({ account_sid: 'AC00', service_sid: 'GA00', transcript_sid: `GT-${PERSON}`, customer_key: from, event_type: 'voice_intelligence_transcript_available' }) })

await form('another token', { params: next(), token: 'ffffffffffffffffffffffffffffffff' })
await form('a value changed', { params: next(), signed: next({ Body: 'Hello' }) })
await form('a parameter more', { params: next({ Extra: 'x' }), signed: next() })
await form('a parameter less', { params: next(), signed: next({ Extra: 'x' }) })
await form('a value more', { params: next({ Part: ['a', 'b'] }), signed: next({ Part: ['a'] }) })
await form('another query', { url: `${hook}?user=8`, signedURL: `${hook}?user=7`, params: next() })
await form('another path', { url: `${hook}/b`, signedURL: `${hook}/a`, params: next() })
await form('no signature', { params: next(), signature: '' })
await form('half a signature', { params: next(), signature: getExpectedTwilioSignature(TOKEN, hook, next()).slice(0, 14) })
await json('JSON changed', { id: `GT-${PERSON}-2`, body: JSON.stringify({ transcript_sid: `GT-${PERSON}-2` }), signedBody: '{}' })
await json('JSON under another token', { id: `GT-${PERSON}-3`, body: JSON.stringify({ transcript_sid: `GT-${PERSON}-3` }), token: 'x' })
console.log(JSON.stringify(results))
