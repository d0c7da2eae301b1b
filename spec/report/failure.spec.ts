import { describe, expect, it } from 'vitest'
import { answersText } from '../../report/answers.ts'
import { failureOn, mistakesText } from '../../report/failure.ts'
import { Page } from '../../report/page.ts'
import { jsonLine, jsonMistakes } from '../../report/json.ts'
import { failure, started } from './events.ts'

const options = { color: false, width: 80, folder: '/project', source: () => undefined }

describe('mistakes', () => {
  it('are told all together, each with its place, the line there, and a remedy', () => {
    const place = { file: '/project/plays/web.ts', line: 14, column: 8 }
    const failures = [
      failure("The play web: hosts('wbe') matches no host and no group of the inventory.", {
        place,
        hint: 'Did you mean web?',
      }),
      failure('--limit web9 matches no host and no group of the inventory.', { hint: 'Did you mean web?' }),
    ]
    const source = () => "  .hosts('wbe')"
    expect(mistakesText(failures, { ...options, source })).toBe(`\
2 mistakes; nothing was connected to

  The play web: hosts('wbe') matches no host and no group of the inventory.
    plays/web.ts:14:8
      .hosts('wbe')
           ^
    Did you mean web?

  --limit web9 matches no host and no group of the inventory.
    Did you mean web?
`)
  })
})

it('shows of a fault of our own where it was', () => {
  const page = new Page(options)
  const stack = 'TypeError: no\n    at judge (modules/sysctl.ts:12:3)\n    at decide (engine/decide.ts:55:7)'
  failureOn(page, failure('A module failed: no', { code: 'E_INTERNAL', stack }), 2)
  expect(page.text).toBe(`\
  A module failed: no
    at judge (modules/sysctl.ts:12:3)
    at decide (engine/decide.ts:55:7)
  This is a fault of fleetplay or of a module. Please report it.
`)
})

describe('answers to a command', () => {
  it('are told once where they are the same, failures last', () => {
    const said = (host: string, status: number, stdout: string) => ({ host, status, stdout, stderr: '' })
    const text = answersText(
      [
        said('web1', 0, 'up 3 days\n'),
        { host: 'db1', failure: failure('connect 10.0.3.21:22 refused') },
        said('web2', 1, ''),
        said('web3', 0, 'up 3 days\n'),
        said('web4', 0, ''),
        { host: 'web5', status: undefined, stdout: 'begun\u001b[2J\n', stderr: 'oops\n' },
      ],
      options,
    )
    expect(text).toBe(`\
web1 web3
  up 3 days

web4
  exit 0, nothing was written

web2
  exit 1

web5
  begun\\e[2J
  oops
  ended: it took too long

db1
  unreachable
  connect 10.0.3.21:22 refused
`)
  })
})

describe('JSON', () => {
  it('is an event on a line, with a version', () => {
    const line = jsonLine(started({ limit: 'a\nb' }), 1)
    expect(line.endsWith('}\n')).toBe(true)
    expect(line.trimEnd()).not.toContain('\n')
    expect(JSON.parse(line)).toMatchObject({ version: 1, type: 'run-started', limit: 'a\nb' })
    expect(JSON.parse(jsonMistakes([failure('No.')], 1))).toMatchObject({
      version: 1,
      type: 'mistakes',
      failures: [{ message: 'No.' }],
    })
  })
})
