import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { line } from '../../index.ts'
import { fileAt } from '../../modules/file.ts'
import { type LineOptions, withLine, withoutLine } from '../../modules/line.ts'
import { contentOf, type FileState } from '../../probe/file.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { Real, realShells } from './real.ts'

const owned = { mode: '0644', owner: 'root', group: 'root' }
const problems = (task: Task) => task.problems.map(({ message }) => message)
const text = (content: string): FileState => ({ type: 'file', content: contentOf(Buffer.from(content)), ...owned })

describe('a line that should be there', () => {
  const cases: readonly (readonly [string, string, string, LineOptions, string])[] = [
    ['goes to the end', 'a\n', 'b', {}, 'a\nb\n'],
    ['is the first of an empty file', '', 'b', {}, 'b\n'],
    ['gives a last line without an end its end', 'a', 'b', {}, 'a\nb\n'],
    ['leaves a last line without an end alone where nothing follows it', 'b\na', 'b', {}, 'b\na'],
    ['takes the ends of the file', 'a\r\nc\r\n', 'b', {}, 'a\r\nc\r\nb\r\n'],
    ['takes the ends of the file, after a last line without one', 'a\r\nc', 'b', {}, 'a\r\nc\r\nb\r\n'],
    ['is found whatever its end', 'b\r\na\r\n', 'b', {}, 'b\r\na\r\n'],
    ['is not found in the middle of another', 'xb\nbx\n', 'b', {}, 'xb\nbx\nb\n'],
    ['stays where it is', 'b\nz\n', 'b', { after: 'z' }, 'b\nz\n'],
    ['goes after the last that matches', 'z1\na\nz2\na\n', 'b', { after: /^z/ }, 'z1\na\nz2\nb\na\n'],
    ['goes before the first that matches', 'a\nz1\na\nz2\n', 'b', { before: /^z/ }, 'a\nb\nz1\na\nz2\n'],
    ['goes after a whole line', 'az\nz\nq\n', 'b', { after: 'z' }, 'az\nz\nb\nq\n'],
    ['takes the place of what matches', '#A=1\nx\n', 'A=3', { matching: /^#?A=/ }, 'A=3\nx\n'],
    ['keeps a missing end in its place', 'x\nA=1', 'A=3', { matching: /^A=/ }, 'x\nA=3'],
    [
      'takes the place of the first that matches, and the others go',
      '#A=1\nx\nA=2\ny\n',
      'A=3',
      { matching: /^#?A=/ },
      'A=3\nx\ny\n',
    ],
    ['stays where it is, and others that match go', '#A=1\nx\nA=3\nA=4\n', 'A=3', { matching: /^#?A=/ }, 'x\nA=3\n'],
    ['is one where it was several', 'A=3\nA=3\n', 'A=3', { matching: /^A=/ }, 'A=3\n'],
    ['is found by a pattern that remembers where it was', 'A=1\nA=2\n', 'A=3', { matching: /^A=/g }, 'A=3\n'],
    ['has a place only where nothing matches', 'z\nA=1\n', 'A=3', { matching: /^A=/, before: 'z' }, 'z\nA=3\n'],
  ]
  it.each(cases)('%s', (_, before, wished, options, after) => {
    expect(withLine(before, wished, options)).toBe(after)
    expect(withLine(after, wished, options)).toBe(after)
  })

  it('is refused where nothing says its place', () => {
    expect(() => withLine('a\n', 'b', { after: /^z/ })).toThrow('No line matches /^z/, after which it should go.')
    expect(() => withLine('a\n', 'b', { before: 'z' })).toThrow('No line is "z", before which it should go.')
  })
})

describe('any text', () => {
  const end = fc.constantFrom('\n', '\r\n')
  const lineText = fc.constantFrom('A=1', 'A=2', '#A=1', '# A', 'A', '', ' A=1', 'b', '[s]', 'A=1 ', 'ü', '\r', 'a\rb')
  const anyText = fc
    .tuple(fc.array(fc.tuple(lineText, end)), fc.option(lineText))
    .map(([all, last]) => all.flat().join('') + (last ?? ''))
  const pattern = fc.constantFrom(/^#?\s*A=/, /A/, /^A=1$/, /=/, /^A/g, /1\s*$/)
  const place = fc.constantFrom<LineOptions>({}, { after: /A/ }, { before: /^b/ }, { after: '[s]' }, { before: 'A' })
  const tried = (edit: () => string) => {
    try {
      return edit()
    } catch {
      return undefined
    }
  }

  it('has the line after one edit, and is not changed by a second', () => {
    const wished = fc.constantFrom('A=1', 'A=3', 'b')
    fc.assert(
      fc.property(
        anyText,
        wished,
        fc.option(pattern, { nil: undefined }),
        place,
        (before, line, matching, placement) => {
          fc.pre(!matching || line.search(matching) >= 0)
          const options = { ...placement, ...(matching && { matching }) }
          const after = tried(() => withLine(before, line, options))
          fc.pre(after !== undefined)
          expect(withLine(after, line, options)).toBe(after)
          const all = after.split(/\r?\n/)
          expect(all).toContain(line)
          // Never two of the same, unless they were there and nothing said that they are the same.
          const same = (each: string) => (matching ? each.search(matching) >= 0 : each === line)
          const count = matching ? 1 : before.split(/\r?\n/).filter(same).length
          expect(all.filter(same)).toEqual(Array.from({ length: Math.max(1, count) }, () => line))
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('keeps every other line, byte for byte and in order', () => {
    fc.assert(
      fc.property(anyText, pattern, (before, matching) => {
        const others = (text: string) =>
          (text.match(/[^\n]*\n|[^\n]+/g) ?? []).filter((each) => each.replace(/\r?\n$/, '').search(matching) < 0)
        const bare = (all: readonly string[]) => all.map((each) => each.replace(/[\r\n]+$/, ''))
        const without = withoutLine(before, matching)
        expect(others(without)).toEqual(others(before))
        expect(bare(others(withoutLine(before, matching)))).toHaveLength(
          (without.match(/[^\n]*\n|[^\n]+/g) ?? []).length,
        )
        expect(withoutLine(without, matching)).toBe(without)
        const line = ['A=1', 'A', '=', '1'].find((each) => each.search(matching) >= 0)!
        expect(bare(others(withLine(before, line, { matching })))).toEqual(bare(others(before)))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('line()', () => {
  it('is no task before it says something', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = line('/etc/hosts')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(
      'line /etc/hosts says nothing: end it with .present(text)',
    )
  })

  it('has a title with the path and the line', () => {
    expect(line('/etc/hosts').present('10.0.0.1 db1').id).toBe('/etc/hosts: 10.0.0.1 db1')
    expect(line('/etc/hosts').absent(/db\d/).id).toBe('/etc/hosts: no /db\\d/')
  })

  it('refuses what could not be at rest, or has no meaning', () => {
    expect(problems(line('/a').present('B=1', { matching: /^A=/ }))).toEqual(['line /a: "B=1" does not match /^A=/'])
    expect(line('/a').present('B=1', { matching: /^A=/ }).problems[0]!.hint).toBe(
      'The next run would not know its own line again, and add another.',
    )
    expect(problems(line('/a').present('a\nb'))).toEqual(['line /a: "a\\nb" is more than one line'])
    expect(problems(line('/a').present('a\r'))).toEqual(['line /a: "a\\r" is more than one line'])
    expect(problems(line('/a').present(''))).toEqual(['line /a: the line is empty'])
    expect(problems(line('/a').present('a\0'))).toEqual(['line /a: "a\\u0000" holds a NUL byte'])
    expect(problems(line('/a').absent(''))).toEqual(['line /a: the line is empty'])
    expect(problems(line('/a').present('A', { matching: /A/y }))).toEqual([
      'line /a: /A/y is sticky (y), which means nothing here',
    ])
    expect(problems(line('/a').present('a', { after: 'x', before: 'y' }))).toEqual([
      'line /a: say after or before, not both',
    ])
    expect(problems(line('a').present('a'))).toEqual(['line: the path "a" must be absolute'])
    expect(problems(line('/a').present('a').absent('b') as Task)).toEqual(['line /a is said twice: write two tasks'])
  })

  const told = async (task: Task, state: FileState) =>
    (await run(task, mockHost('web1').has(fileAt('/etc/x'), state))).tasks[0]!
  const refused = async (state: FileState, options?: LineOptions) =>
    (await told(line('/etc/x').present('a', options), state)).failure?.message

  it('refuses in the plan what it cannot edit', async () => {
    expect(await refused({ type: 'absent' })).toBe('/etc/x does not exist.')
    expect(await refused({ type: 'link', target: '../run/x' })).toBe('/etc/x is a link to ../run/x.')
    expect(await refused({ type: 'directory', ...owned })).toBe('/etc/x is no file.')
    expect(await refused({ type: 'file', content: contentOf(Buffer.from([0x66, 0xfc])), ...owned })).toBe(
      '/etc/x is not UTF-8 text.',
    )
    expect(await refused(text('a\0b'))).toBe('/etc/x holds NUL bytes: it is no text.')
    expect(await refused({ type: 'file', content: { sha256: 'a'.repeat(64), size: 300_000 }, ...owned })).toBe(
      '/etc/x has 300000 bytes, more than can be edited (262144).',
    )
    expect(await refused(text('x'.repeat(262_143)))).toBe(
      '/etc/x would have 262146 bytes, more than can be edited (262144).',
    )
    expect(await refused(text('x\n'), { after: 'y' })).toBe('No line is "y", after which it should go.')
  })

  it('makes the file where that is said, and is content with none where nothing should be in it', async () => {
    const host = mockHost('web1')
    const { changes } = await run(
      [line('/etc/new').present('a', { create: true }), line('/etc/none').absent(/x/)],
      host,
    )
    expect(changes.map(({ label, before, after }) => [label, before, after])).toEqual([
      ['/etc/new', 'absent', '1 line 0644 root:root'],
    ])
    expect(host.holds(fileAt('/etc/none'))).toEqual({ type: 'absent' })
  })

  it('says that several lines are the same', async () => {
    const { notes } = await told(line('/etc/x').present('A=3', { matching: /^#?A=/ }), text('#A=1\nb\nA=2\n'))
    expect(notes).toEqual(['Lines 1, 3 of /etc/x match /^#?A=/; one is left.'])
  })

  it('begins where an earlier task of the same file ends', async () => {
    const host = mockHost('web1').has(fileAt('/etc/x'), text('a\n'))
    const tasks = [line('/etc/x').present('b'), line('/etc/x').present('c', { after: 'b' }), line('/etc/x').absent('a')]
    await run(tasks, host)
    expect(host.holds(fileAt('/etc/x'))).toEqual(text('b\nc\n'))
  })
})

describe.each(realShells)('lines by $title', ({ name: shell, there }) => {
  const real = new Real(shell)
  afterAll(() => real.remove())

  it.runIf(there)('are edited in one trip, keep what is not theirs, and are left alone the second time', async () => {
    writeFileSync(real.path('conf'), '# head\r\n#A=1\r\nü=é\r\nlast', { mode: 0o640 })
    const tasks = [
      line(real.path('conf')).present('A=3', { matching: /^#?A=/ }),
      line(real.path('conf')).present("it's $(odd) \\ `x`", { after: 'A=3' }),
      line(real.path('conf')).absent('last'),
      line(real.path('conf')).present('end'),
      line(real.path('new')).present('a', { create: true }),
    ]
    const first = await real.run(tasks)
    expect([first.failures, first.trips]).toEqual([[], 3])
    expect(real.text('conf')).toBe("# head\r\nA=3\r\nit's $(odd) \\ `x`\r\nü=é\r\nend\r\n")
    expect(real.entries()).toEqual(['conf', 'new'])
    const mark = real.mark('conf')
    expect(mark).toMatch(/ 100640$/)
    const second = await real.run(tasks)
    expect([second.outcomes, second.trips, real.mark('conf')]).toEqual([tasks.map(() => 'ok'), 1, mark])
  })

  it.runIf(there)('are not written over what somebody else wrote after it was read', async () => {
    writeFileSync(real.path('shared'), 'a\n')
    const task = line(real.path('shared')).present('b')
    const { resource, desired } = task.wishes[0]!
    const host = real.host()
    const [read] = await host.read([resource], undefined)
    const from = (read as { readonly value: unknown }).value
    const to = desired(from, { user: 'root', group: 'root' })
    const step = { resource, from, to, script: resource.write!(to, from), deadline: 10 }
    writeFileSync(real.path('shared'), 'a\nby somebody else\n')
    const ends = await host.apply([step], undefined)
    await host.close()
    expect(ends).toMatchObject([
      { message: `${real.path('shared')} was changed by somebody else after it was read; nothing was written` },
    ])
    expect(readFileSync(real.path('shared'), 'utf8')).toBe('a\nby somebody else\n')
  })

  it.runIf(there)('are not written through a link', async () => {
    writeFileSync(real.path('to'), 'a\n')
    symlinkSync('to', real.path('via'))
    expect((await real.run([line(real.path('via')).present('b')])).failures).toEqual([
      `${real.path('via')} is a link to to.`,
    ])
  })
})
