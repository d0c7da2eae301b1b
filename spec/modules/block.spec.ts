import { writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { block } from '../../index.ts'
import { withBlock, withoutBlock } from '../../modules/block.ts'
import { fileAt } from '../../modules/file.ts'
import { contentOf, type FileState } from '../../probe/file.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { Real, realShells } from './real.ts'

const problems = (task: Task) => task.problems.map(({ message }) => message)
const text = (content: string): FileState => ({
  type: 'file',
  content: contentOf(Buffer.from(content)),
  mode: '0644',
  owner: 'root',
  group: 'root',
})
const markers = (...lines: readonly string[]) => ['# BEGIN fleetplay n', ...lines, '# END fleetplay n', ''].join('\n')

describe('a block that should be there', () => {
  const cases: readonly (readonly [string, string, readonly string[], Parameters<typeof withBlock>[3], string])[] = [
    ['goes to the end', 'a\n', ['x', 'y'], {}, `a\n${markers('x', 'y')}`],
    ['gives a last line without an end its end', 'a', ['x'], {}, `a\n${markers('x')}`],
    ['takes the ends of the file', 'a\r\n', ['x'], {}, `a\r\n${markers('x').replaceAll('\n', '\r\n')}`],
    ['may be empty', '', [], {}, markers()],
    ['goes after a line', 'a\nb\n', ['x'], { after: 'a' }, `a\n${markers('x')}b\n`],
    ['goes before a line', 'a\nb\n', ['x'], { before: /b/ }, `a\n${markers('x')}b\n`],
    ['is replaced where it is', `a\n${markers('old', '', 'old')}b\n`, ['x'], { after: 'b' }, `a\n${markers('x')}b\n`],
    ['stays as it is, ends and all', `${markers('x')}a`, ['x'], {}, `${markers('x')}a`],
    ['stays without a last end', markers('x').slice(0, -1), ['x'], {}, markers('x').slice(0, -1)],
    [
      'has comments of the file',
      '',
      ['x'],
      { style: '<!-- -->' },
      '<!-- BEGIN fleetplay n -->\nx\n<!-- END fleetplay n -->\n',
    ],
    ['takes other comments', markers('x'), ['x'], { style: ';' }, '; BEGIN fleetplay n\nx\n; END fleetplay n\n'],
    [
      'is not another of a longer name',
      '# BEGIN fleetplay n2\n# END fleetplay n2\n',
      ['x'],
      {},
      `# BEGIN fleetplay n2\n# END fleetplay n2\n${markers('x')}`,
    ],
  ]
  it.each(cases)('%s', (_, before, content, options, after) => {
    expect(withBlock(before, 'n', content, options)).toBe(after)
    expect(withBlock(after, 'n', content, options)).toBe(after)
  })

  it.each([
    ['# BEGIN fleetplay n\nx\n', 'The markers of the block n are no pair: BEGIN in line 1.'],
    ['x\n# END fleetplay n\n', 'The markers of the block n are no pair: END in line 2.'],
    [
      '# END fleetplay n\n# BEGIN fleetplay n\n',
      'The markers of the block n are no pair: BEGIN in line 2, END in line 1.',
    ],
    [
      `${markers()}${markers()}`,
      'The markers of the block n are no pair: BEGIN in line 1, BEGIN in line 3, END in line 2, END in line 4.',
    ],
    [
      `; BEGIN fleetplay n\n${markers()}`,
      'The markers of the block n are no pair: BEGIN in line 1, BEGIN in line 2, END in line 3.',
    ],
  ])('is refused where the markers are no pair: %j', (before, message) => {
    expect(() => withBlock(before, 'n', ['x'])).toThrow(message)
    expect(() => withoutBlock(before, 'n')).toThrow(message)
  })
})

it('is there once in any text, keeps all around it, and goes without a trace', () => {
  const line = fc.constantFrom('a', '', '# BEGIN', '# BEGIN fleetplay other', 'fleetplay n', '[x]', 'é')
  const content = fc.array(line)
  const anyText = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n'))).map((all) => all.flat().join(''))
  fc.assert(
    fc.property(anyText, content, content, (before, first, second) => {
      const one = withBlock(before, 'n', first)
      expect(withBlock(one, 'n', first)).toBe(one)
      const two = withBlock(one, 'n', second, { style: '//' })
      expect(withBlock(two, 'n', second, { style: '//' })).toBe(two)
      expect(two.match(/BEGIN fleetplay n\r?$/gm)).toHaveLength(1)
      expect(withoutBlock(two, 'n')).toBe(before)
      expect(withoutBlock(before, 'n')).toBe(before)
    }),
    { numRuns: 1000 },
  )
})

describe('block()', () => {
  it('is no task before it says something', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = block('/etc/hosts', 'n').comment('#')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(
      'block /etc/hosts: n says nothing: end it with .content(text)',
    )
  })

  it('refuses names and contents that could not be found again', () => {
    expect(problems(block('/a', 'two words').content('x'))).toEqual([
      'block: the name "two words" is not one plain word',
    ])
    expect(problems(block('a', 'n').content('x'))).toEqual(['block: the path "a" must be absolute'])
    expect(problems(block('/a', 'n').content('x\n  # END fleetplay n'))).toEqual([
      'block /a: n: the content holds its own marker, END fleetplay n',
    ])
    expect(problems(block('/a', 'n').content('\0'))).toEqual(['block /a: n: the content holds a NUL byte'])
    expect(problems(block('/a', 'n').content('x', { after: 'a', before: 'b' }))).toEqual([
      'block /a: n: say after or before, not both',
    ])
    expect(problems(block('/a', 'n').content('x').absent() as Task)).toEqual(['block /a: n is said twice'])
  })

  it('takes a content with or without a last end, and with any ends', async () => {
    for (const content of ['x\ny', 'x\ny\n', 'x\r\ny\r\n']) {
      const host = mockHost('web1').has(fileAt('/a'), text(''))
      await run(block('/a', 'n').content(content), host)
      expect(host.holds(fileAt('/a'))).toEqual(text(markers('x', 'y')))
    }
  })

  it('refuses a file that is not there, unless it should be made', async () => {
    const { tasks } = await run([block('/a', 'n').content('x')], mockHost('web1'))
    expect(tasks[0]!.failure).toMatchObject({
      message: '/a does not exist.',
      hint: 'Make it first, or say { create: true }.',
    })
    const host = mockHost('web1')
    await run([block('/a', 'n').content('x', { create: true }), block('/b', 'n').absent()], host)
    expect([host.holds(fileAt('/a')), host.holds(fileAt('/b'))]).toEqual([text(markers('x')), { type: 'absent' }])
  })
})

describe.each(realShells)('blocks by $title', ({ name: shell, there }) => {
  const real = new Real(shell)
  afterAll(() => real.remove())

  it.runIf(there)('come, change, stay and go, and leave the file as it was', async () => {
    writeFileSync(real.path('conf'), 'a\r\nb\r\n', { mode: 0o600 })
    const path = real.path('conf')
    const first = [
      block(path, 'one').content("it's\n$(odd)", { after: 'a' }),
      block(path, 'two').comment(';').content(''),
    ]
    expect((await real.run(first)).failures).toEqual([])
    const both =
      "a\r\n# BEGIN fleetplay one\r\nit's\r\n$(odd)\r\n# END fleetplay one\r\nb\r\n; BEGIN fleetplay two\r\n; END fleetplay two\r\n"
    expect(real.text('conf')).toBe(both)
    const mark = real.mark('conf')
    expect((await real.run(first)).outcomes).toEqual(['ok', 'ok'])
    expect(real.mark('conf')).toBe(mark)
    expect((await real.run([block(path, 'one').absent(), block(path, 'two').absent()])).outcomes).toEqual([
      'changed',
      'changed',
    ])
    expect([real.text('conf'), real.entries()]).toEqual(['a\r\nb\r\n', ['conf']])
  })
})
