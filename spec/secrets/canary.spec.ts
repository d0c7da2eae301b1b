import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { quote } from '../../shell/quote.ts'
import { canary, leaksIn, plainCanary } from './canary.ts'

it.each<[string, string]>([
  ['as it is', canary],
  ['quoted', quote(canary)],
  ['in JSON of JSON', JSON.stringify(JSON.stringify({ canary }))],
  ['in a URL', encodeURIComponent(canary)],
  ['in a URL, every byte of it', Buffer.from(canary).toString('hex').replace(/../g, '%$&')],
  ['in hexadecimal', Buffer.from(`xx${canary}`).toString('hex')],
  ['in base64', Buffer.from(canary).toString('base64')],
  ['in base64 of a longer text', Buffer.from(`a:${canary}`).toString('base64')],
  ['in base64url of a longer text', Buffer.from(`ab:${canary}`).toString('base64url')],
  ['in base64 on several lines', execFileSync('base64', ['-w', '20'], { input: `${canary}${canary}` }).toString()],
  ['cut at its end', canary.slice(0, 20)],
  ['cut at its beginning', canary.slice(-20)],
  ['without signs', plainCanary],
  ['escaped byte by byte', Buffer.from(plainCanary).toString('hex').replace(/../g, '\\x$&')],
])('the canary is heard %s', (_, text) => {
  expect(leaksIn(`quiet ${text} quiet`)).not.toEqual([])
})

it('is not heard where it is not', () => {
  expect(leaksIn('quiet (secret) quiet, Kanarische Inseln, 6b616e6172, a2FuYXJp'.repeat(50))).toEqual([])
})
