/** The canary in what hosts say, in every form of a report: all that is told comes from events. */

import { expect, it } from 'vitest'
import { secret } from '../../dsl/secret.ts'
import type { Event } from '../../engine/events.ts'
import { command, configTest, file, handler, line, sh } from '../../index.ts'
import { fileAt } from '../../modules/file.ts'
import { commandState } from '../../modules/command.ts'
import type { FileState } from '../../probe/file.ts'
import { unifiedDiff } from '../../report/diff.ts'
import { jsonLine } from '../../report/json.ts'
import { Live } from '../../report/live.ts'
import { Story } from '../../report/story.ts'
import { bodyText, headText } from '../../report/text.ts'
import { resolveSecret } from '../../shell/secret.ts'
import { quote } from '../../shell/quote.ts'
import { type MockHost, mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { canary, leaksIn } from './canary.ts'

const password = secret.env('SECRETS_TOLD_SPEC')
resolveSecret(password, canary)

/** What a command may say of a password that it was given. */
const words = [
  `access denied for ${canary}`,
  `argv: ${quote(canary)}`,
  `json: ${JSON.stringify({ canary })}`,
  `basic: ${Buffer.from(`user:${canary}`).toString('base64')}`,
  `url: ${encodeURIComponent(canary)} ${Buffer.from(canary).toString('base64url')}`,
  `hex: ${Buffer.from(canary).toString('hex')}`,
].join('\n')

const page = { color: false, width: 60, folder: '/', diff: unifiedDiff, again: () => '', undo: undefined }

/** Every form in which a run is told. */
function formsOf(those: readonly Event[]): Readonly<Record<string, string>> {
  const begun = { play: 'p', inventory: 'i', limit: undefined, hosts: ['a'], simulated: [], tasks: 1, check: false }
  const events: readonly Event[] = [{ type: 'run-started', run: undefined, ...begun }, ...those]
  const [story, live] = [new Story(true), new Live()]
  const drawn = events.map((event) => {
    story.add(event)
    live.add(event, 0)
    return live.lines({ color: false, width: 400, rows: 40, now: 1 }).join('\n')
  })
  return {
    json: events.map((event) => jsonLine(event, 1)).join(''),
    text: headText(story, page as never) + bodyText(story, page as never),
    wide: bodyText(story, { ...page, width: 400 } as never),
    live: drawn.join('\n'),
  }
}

const of = (text: string): FileState => ({
  type: 'file',
  content: { text },
  mode: '0600',
  owner: 'root',
  group: 'root',
})
const key = file('/etc/app.key').content(password)
const login = command('login', sh`login`.reading(password)).always()

it.each<[string, Parameters<typeof run>[0], MockHost]>([
  ['a file that changes', key, mockHost('a').has(fileAt('/etc/app.key'), of(`old ${canary}`))],
  ['a write that fails', key, mockHost('a').fails(fileAt('/etc/app.key'), { stderr: words })],
  ['a file that is something else afterwards', key, mockHost('a').shows(fileAt('/etc/app.key'), of('x'), of(canary))],
  ['a command that fails', login, mockHost('a').fails(commandState('login'), { stderr: words })],
  ['a place that cannot be read', key, mockHost('a').cannotRead(fileAt('/etc/app.key'), words)],
  [
    'a reaction that fails',
    file('/etc/motd')
      .content('x')
      .notify(handler('log in', sh`login`.reading(password))),
    mockHost('a').fails({ key: handler('log in', sh`login`.reading(password)).key }, { stderr: words }),
  ],
  [
    'a guard that fails',
    key.guardedBy(configTest('test', sh`app -t`)),
    mockHost('a').fails({ key: configTest('test', sh`app -t`).key }, { stderr: words }),
  ],
  [
    'a diff of a file that holds it, and that nobody said to be secret',
    line('/etc/other').present('verbose'),
    mockHost('a').has(fileAt('/etc/other'), of(`seen: ${canary}\nfor: ${encodeURIComponent(canary)}\n`)),
  ],
  ['a title that holds it', file('/etc/motd').content('x').named(words), mockHost('a')],
])('%s is told without it', async (_, what, host) => {
  for (const check of [true, false]) {
    const { events } = await run(what, host, { check })
    expect(events.some(({ type }) => type === 'task')).toBe(true)
    for (const [form, text] of Object.entries(formsOf(events))) {
      expect(leaksIn(text), form).toEqual([])
      expect(text, form).not.toBe('')
    }
  }
})

it('would be heard, if it were told', async () => {
  const host = mockHost('a').fails(fileAt('/etc/motd'), { stderr: 'no' })
  const { events } = await run(file('/etc/motd').content('x').named('TITLE'), host)
  const singing = JSON.parse(JSON.stringify(events).replaceAll('TITLE', JSON.stringify(canary).slice(1, -1))) as Event[]
  for (const [form, text] of Object.entries(formsOf(singing))) expect(leaksIn(text), form).not.toEqual([])
})
