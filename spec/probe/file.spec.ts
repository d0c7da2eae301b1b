import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { Failure } from '../../errors/failure.ts'
import { batch } from '../../probe/batch.ts'
import { contentOf, type FileState, fileState, inlineLimit } from '../../probe/file.ts'
import { sh } from '../../shell/script.ts'
import { Real, realShells } from '../modules/real.ts'

const isRoot = process.getuid?.() === 0
const rootReads = isRoot ? ' (skipped: root may read everything)' : ''

/** What the probes say, asked in one batch. */
async function look(real: Real, ...names: readonly string[]): Promise<readonly (FileState | string)[]> {
  const host = real.host()
  const places = names.map((name) => ({ key: name, read: fileState(name.startsWith('/') ? name : real.path(name)) }))
  const results = await host.read(places, undefined)
  await host.close()
  return results.map((result) => ('value' in result ? (result.value as FileState) : result.failure.message))
}

describe.each(realShells)('files by $title', ({ name: shell, there }) => {
  const real = new Real(shell)
  afterAll(() => real.remove())
  const owned = { mode: '0640', owner: expect.any(String), group: expect.any(String) }
  const put = (name: string, content: string | Uint8Array, mode = 0o640) => {
    writeFileSync(real.path(name), content)
    chmodSync(real.path(name), mode)
  }

  it.runIf(there)('tells what is at a path: type, content, mode and owner', async () => {
    put('text', 'two\nlines\n')
    put('empty', '')
    put('setuid', 'x', 0o4755)
    mkdirSync(real.path('folder'))
    chmodSync(real.path('folder'), 0o1777)
    symlinkSync('../where ever\n', real.path('link'))
    symlinkSync('/nowhere', real.path('dangling'))
    expect(
      await look(real, 'text', 'empty', 'setuid', 'folder', 'link', 'dangling', 'none', 'text/below', '/dev/null'),
    ).toEqual([
      { type: 'file', content: { text: 'two\nlines\n' }, ...owned },
      { type: 'file', content: { text: '' }, ...owned },
      { type: 'file', content: { text: 'x' }, ...owned, mode: '4755' },
      { type: 'directory', ...owned, mode: '1777' },
      { type: 'link', target: '../where ever\n' },
      { type: 'link', target: '/nowhere' },
      { type: 'absent' },
      { type: 'absent' },
      { type: 'other', mode: '0666', owner: 'root', group: 'root' },
    ])
  })

  it.runIf(there)('takes names as they are', async () => {
    const names = [
      "it's",
      'a b',
      '$(exit 9)`x`',
      '-n',
      '*',
      'new\nline',
      '\\',
      'ü€😀',
      'x'.repeat(255),
      '"',
      ' ',
      'a\\nb',
    ]
    for (const name of names) put(name, `content of ${name}`)
    const large = 'large\nand \\ odd'
    put(large, Buffer.alloc(inlineLimit + 1, 'x'))
    expect(await look(real, ...names)).toEqual(
      names.map((name) => ({ type: 'file', content: { text: `content of ${name}` }, ...owned })),
    )
    expect(await look(real, large)).toMatchObject([{ content: { size: inlineLimit + 1 } }])
  })

  it.runIf(there)('keeps every byte up to 256 KiB, and tells more by a digest', async () => {
    const every = Uint8Array.from({ length: 256 }, (_, i) => i)
    put('bytes', every)
    put('nul', 'a\0b\n\n\n')
    put('limit', Buffer.alloc(inlineLimit, 'é'))
    put('more', Buffer.alloc(inlineLimit + 1, 'é'))
    const sha256 = spawnSync('sha256sum', [real.path('more')])
      .stdout.toString()
      .slice(0, 64)
    expect(await look(real, 'bytes', 'nul', 'more', 'limit')).toEqual([
      { type: 'file', content: { base64: Buffer.from(every).toString('base64') }, ...owned },
      { type: 'file', content: { text: 'a\0b\n\n\n' }, ...owned },
      { type: 'file', content: { sha256, size: inlineLimit + 1 }, ...owned },
      { type: 'file', content: contentOf(Buffer.alloc(inlineLimit, 'é')), ...owned },
    ])
  })

  it.runIf(there)('reads files whose size their file system does not know', async () => {
    const [ostype, text] = await look(real, '/proc/sys/kernel/ostype', 'text')
    expect(ostype).toMatchObject({ type: 'file', content: { text: 'Linux\n' } })
    expect(text).toMatchObject({ content: { text: 'two\nlines\n' } })
  })

  it.runIf(there && !isRoot)(
    `does not take what may not be read, or is in a closed directory, for absent${rootReads}`,
    async () => {
      put('secret', 'x', 0o200)
      mkdirSync(real.path('closed/deep'), { recursive: true })
      chmodSync(real.path('closed'), 0o600)
      const answers = await look(real, 'secret', 'closed', 'closed/file', 'closed/deep/er/file', 'text')
      chmodSync(real.path('closed'), 0o700)
      expect(answers).toEqual([
        `${real.path('secret')} is there, but may not be read by this user.`,
        expect.objectContaining({ type: 'directory' }),
        `${real.path('closed/file')} cannot be looked at: a directory above it is closed to this user.`,
        `${real.path('closed/deep/er/file')} cannot be looked at: a directory above it is closed to this user.`,
        expect.objectContaining({ type: 'file' }),
      ])
    },
  )

  it.runIf(there)('says that a link to a name that is not UTF-8 cannot be told', async () => {
    symlinkSync(Buffer.from([0x61, 0xff]), real.path('latin'))
    expect(await look(real, 'latin', 'none')).toEqual([
      `${real.path('latin')} is a link to a name that is not UTF-8.`,
      { type: 'absent' },
    ])
  })

  it.runIf(there)(
    'lets one that goes, grows or cannot be read between two looks be the failure of that one',
    async () => {
      put('a', 'aaa')
      put('b', 'bbb')
      put('c', 'c'.repeat(10))
      const tools = new Real(shell)
      const cat = spawnSync('sh', ['-c', 'command -v cat']).stdout.toString().trim()
      tools.tools.program(
        'cat',
        `case "$*" in *fleetplay*real*) rm -f ${sh`${real.path('b')}`.text}; printf more >>${sh`${real.path('a')}`.text} ;; esac; exec ${cat} "$@"`,
      )
      const places = ['a', 'b', 'c'].map((name) => ({ key: name, read: fileState(real.path(name)) }))
      const host = tools.host()
      const [a, b, c] = await host.read(places, undefined)
      await host.close()
      await tools.remove()
      // Where cat said that something was wrong, a length that is not as it was is no answer.
      expect(a).toMatchObject({ failure: { message: `${real.path('a')} could not be read.` } })
      expect(b).toMatchObject({
        failure: { code: 'E_UNREADABLE', seen: { output: expect.stringContaining('No such file') } },
      })
      expect(c).toMatchObject({ value: { content: { text: 'cccccccccc' } } })
    },
  )

  it.runIf(there)('looks again where one went before it could be told', async () => {
    put('going', 'x')
    const tools = new Real(shell)
    const stat = spawnSync('sh', ['-c', 'command -v stat']).stdout.toString().trim()
    tools.tools.program('stat', `rm -f ${sh`${real.path('going')}`.text}; exec ${stat} "$@"`)
    const places = ['going', 'text'].map((name) => ({ key: name, read: fileState(real.path(name)) }))
    const host = tools.host()
    const results = await host.read(places, undefined)
    await host.close()
    await tools.remove()
    expect(results).toMatchObject([{ value: { type: 'absent' } }, { value: { content: { text: 'two\nlines\n' } } }])
  })

  it.runIf(there)('forks once for stat and once for cat, however many files there are', async () => {
    const tools = new Real(shell)
    for (const name of ['stat', 'cat', 'sha256sum', 'readlink']) {
      const command = spawnSync('sh', ['-c', `command -v ${name}`])
        .stdout.toString()
        .trim()
      tools.tools.program(name, `echo ${name} >>${sh`${tools.path('calls')}`.text}; exec ${command} "$@"`)
    }
    const host = tools.host()
    const places = ['text', 'empty', 'a', 'bytes', 'none'].map((name) => ({
      key: name,
      read: fileState(real.path(name)),
    }))
    await host.read(places, undefined)
    await host.close()
    // One more cat is the batch's own.
    expect(tools.text('calls')).toBe('stat\ncat\ncat\n')
    await tools.remove()
  })
})

describe('an answer for files', () => {
  const parse = (stdout: string, paths: readonly string[], status = 0) => {
    const { collector } = fileState('/x').questions[0]!
    return collector.answers({ status, stdout: Buffer.from(stdout), stderr: 'words' }, paths)
  }

  it('has names of users and groups with spaces, and numbers of those without a name', () => {
    const text =
      'tt\n/run/s\n41ed 4096 5001 5002 755 CORP\\jo doe:domain users\n41ed 4096 12 13 2755 UNKNOWN:UNKNOWN\n0\n'
    expect(parse(text, ['/a', '/b'])).toEqual([
      { type: 'directory', mode: '0755', owner: 'CORP\\jo doe', group: 'domain users' },
      { type: 'directory', mode: '2755', owner: '12', group: '13' },
    ])
  })

  it('is refused whole where a file holds what stands between them, or where it was cut', () => {
    const stat = '81a4 3 0 0 644 root:root\n'
    const good = `tt\n/run/s\n${stat}${stat}abc\n/run/s\ndef\n/run/s\n0\n`
    expect(parse(good, ['/a', '/b'])).toMatchObject([{ content: { text: 'abc' } }, { content: { text: 'def' } }])
    for (const bad of [
      good.replace('abc', 'a\n/run/s\nc'),
      good.slice(0, -2),
      good.replace('tt', 't'),
      '',
      'tt\n',
      `${good}x`,
    ]) {
      expect(() => parse(bad, ['/a', '/b']), JSON.stringify(bad)).toThrow(Failure)
    }
    expect(() => parse(good, ['/a', '/b'], 1)).toThrow(Failure)
  })

  it('is one question for equal paths', () => {
    const { script } = batch([fileState('/a'), fileState('/a'), fileState('/b')])
    expect(script.text.match(/\/a/g)).toHaveLength(1)
  })
})
