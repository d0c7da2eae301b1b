/** A place that holds a secret: what is there, before and after, is told by digests. */

import { describe, expect, it } from 'vitest'
import { secret } from '../../dsl/secret.ts'
import { want, type Wish } from '../../dsl/resource.ts'
import { shape } from '../../dsl/shape.ts'
import { Task } from '../../dsl/task.ts'
import { sealWith } from '../../engine/sealed.ts'
import { Telling } from '../../engine/sensitive.ts'
import { Mistakes } from '../../errors/failure.ts'
import { directory, file, handler, sh } from '../../index.ts'
import { fileAt } from '../../modules/file.ts'
import type { FileState } from '../../probe/file.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'

const path = '/etc/app.key'
const of = (text: string, mode = '0600'): FileState => ({
  type: 'file',
  content: { text },
  mode,
  owner: 'root',
  group: 'root',
})
const key = secret.env('APP_KEY')
const seal = sealWith(Buffer.alloc(32, 1))

/** Owns a part of a file. */
class Appends extends Task {
  readonly module = 'appends'
  readonly id: string
  readonly options: { readonly sensitive?: boolean }

  constructor(id: string, options: { readonly sensitive?: boolean } = {}) {
    super()
    this.id = id
    this.options = options
  }

  get wishes(): readonly Wish[] {
    const add = (now: FileState) => {
      const text = now.type === 'file' && 'text' in now.content ? now.content.text : ''
      return text.includes(this.id) ? now : of(`${text}${this.id}\n`)
    }
    return [want(fileAt(path, undefined, this.options), add)]
  }
}

describe('a sensitive place', () => {
  it('is told by a digest before and after, with its mode and owner, and without a diff', async () => {
    const { changes } = await run(file(path).content(key), mockHost('a').has(fileAt(path), of('old value\n')))
    expect(changes).toMatchObject([{ key: `file:${path}`, diff: undefined }])
    for (const told of [changes[0]!.before, changes[0]!.after])
      expect(told).toMatch(/^secret [0-9a-f]{8} 0600 root:root$/)
    expect(changes[0]!.before).not.toBe(changes[0]!.after)
    expect(JSON.stringify(changes)).not.toMatch(/old value|standin/)
  })

  it('that is not there is told as it is, since that is no secret', async () => {
    const { changes } = await run(file(path).content(key), mockHost('a'))
    expect(changes).toMatchObject([
      { before: 'absent', after: expect.stringMatching(/^secret [0-9a-f]{8} 0600 root:root$/) },
    ])
  })

  it('is told equally by equal seals, where a run is compared with another', () => {
    const [telling, another] = [new Telling(() => seal), new Telling(() => sealWith(Buffer.alloc(32, 1)))]
    const place = fileAt(path, undefined, { sensitive: true }) as never
    expect(telling.show(place, of('a'))).toBe(another.show(place, of('a')))
    expect(telling.show(place, of('a'))).not.toBe(telling.show(place, of('b')))
    expect(telling.show(fileAt(path) as never, of('a'))).toBe('1 line 0600 root:root')
  })

  it('is so for every task of every play of the run, also one that knows nothing of a secret', async () => {
    const plays = shape({ groups: {} })
    const [before, after] = [new Appends('first'), new Appends('second', { sensitive: true })].map((task) =>
      plays.play(task.id).hosts('all').become().tasks([task]),
    )
    const { changes } = await run([before!, after!], mockHost('a').has(fileAt(path), of('old value\n')))
    expect(changes.map(({ diff, before }) => [diff, before.slice(0, 7)])).toEqual([
      [undefined, 'secret '],
      [undefined, 'secret '],
    ])
  })

  it('is told by digests where it is not as desired afterwards', async () => {
    const host = mockHost('a').shows(fileAt(path), of('old value\n'), of('other value\n'))
    const { tasks } = await run(file(path).content(key), host)
    expect(tasks[0]?.failure?.message).toMatch(
      /it is secret [0-9a-f]{8} 0600 root:root and not secret [0-9a-f]{8} 0600 root:root/,
    )
  })

  it('that two tasks disagree on is told without what they want', async () => {
    const other = secret.text`other ${key} value`
    const error = await run([file(path).content(key), file(path).content(other)], mockHost('a')).catch(
      (e: unknown) => e,
    )
    expect(error).toBeInstanceOf(Mistakes)
    expect((error as Mistakes).message).toContain(`disagree on ${path}: another against one value, which is secret`)
    expect((error as Mistakes).message).not.toContain('standin')
  })
})

describe('a file with a secret', () => {
  it.each([
    ['mode after content', () => file(path).content(key).mode('0644')],
    ['content after mode', () => file(path).mode('0604').content(key)],
  ])('that others may read is told before any connection: %s', async (_, make) => {
    const error = await run(make(), mockHost('a')).catch((e: unknown) => e)
    expect((error as Mistakes).failures).toMatchObject([
      { message: expect.stringContaining('lets others read it'), hint: expect.stringContaining('0640') },
    ])
  })

  it('may be read by a group', async () => {
    const { changes } = await run(
      file(path).content(key).mode('0640').owner('root', 'www-data').tags('x'),
      mockHost('a'),
    )
    expect(changes[0]?.after).toContain('0640 root:www-data')
  })

  it('that others may read already is refused in the plan, unless the play says its mode', async () => {
    const host = () => mockHost('a').has(fileAt(path), of('x', '0644'))
    const { tasks } = await run(file(path).content(key), host())
    expect(tasks).toMatchObject([
      { outcome: 'failed', failure: { code: 'E_REFUSED', message: expect.stringContaining('0644') } },
    ])
    const { changes } = await run(file(path).content(key).mode('0600'), host())
    expect(changes[0]?.before).toContain('0644')
  })

  it('has the keywords of every other', async () => {
    const task = file(path)
      .content(key)
      .notify(handler('tell', sh`true`))
      .when(() => true)
    const { reactions } = await run([directory('/etc/x'), task], mockHost('a'))
    expect(reactions).toMatchObject([{ handler: 'tell', outcome: 'done' }])
  })
})
