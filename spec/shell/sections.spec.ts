import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { sh } from '../../shell/script.ts'
import { type Section, sectionAnswers, sections, sectionsEnded } from '../../shell/sections.ts'

// Bash reads its start file where standard input is a socket, as the pipes of Node are.
const shells = [['dash'], ['bash', '--norc'], ['bash', '--norc', '--posix'], ['busybox', 'sh']].map((argv) => {
  const there = spawnSync(argv[0]!, [...argv.slice(1), '-c', ':']).status === 0
  return { argv, there, title: there ? argv.join(' ') : `${argv.join(' ')} (skipped: it is not installed here)` }
})

describe.each(shells)('sections in $title', ({ argv, there }) => {
  const folder = mkdtempSync(join(tmpdir(), 'fleetplay-sections-'))
  afterEach(() => {
    rmSync(folder, { recursive: true })
    spawnSync('mkdir', [folder])
  })

  /** Status, output and errors of each section, as `status|stdout|stderr`. */
  const run = (parts: readonly Section[], how: { stopAtFailure?: boolean } = {}) => {
    const { text, input } = sections(parts, how)
    const env = { LC_ALL: 'C', PATH: process.env['PATH'], FLEETPLAY_TMP: folder }
    const { stdout } = spawnSync(argv[0]!, [...argv.slice(1), '-c', text], {
      input: input ?? '',
      env,
      timeout: 10_000,
      maxBuffer: 1e8,
    })
    const answers = sectionAnswers(stdout, parts.length)
    return answers?.map((a) => `${a.status}|${a.stdout.toString()}|${a.stderr.toString()}`)
  }

  it.runIf(there)(
    'keep to themselves: what one does to its shell, its input or its syntax is not the next one’s',
    () => {
      const answers = run([
        { script: sh`echo out; echo err >&2; x=1; cd /tmp; set -e; exit 3` },
        { script: sh`echo "[$x]"; pwd` },
        { script: sh`cat; cat` },
        { script: sh`if then (` },
        { script: sh`exec >/dev/null 2>&1; trap 'exit 9' EXIT; echo gone` },
      ])
      expect(answers?.map((answer) => answer.replace(/\|[^|]*syntax[^|]*$/is, '|syntax'))).toEqual([
        '3|out\n|err\n',
        `0|[]\n${process.cwd()}\n|`,
        '0||',
        expect.stringMatching(/^[12]\|\|syntax$/),
        '9||',
      ])
    },
  )

  it.runIf(there)('read each their own input, to its end, whatever is left of it by the one before', () => {
    const large = 'x'.repeat(3_000_000)
    const answers = run([
      { script: sh`read -r a; echo "$a"`.reading(`one\n${large}`) },
      { script: sh`true`.reading(large) },
      { script: sh`wc -c`.reading(large) },
      { script: sh`cat`.reading('') },
      { script: sh`cat; echo end`.reading('no newline') },
      { script: sh`exit 4`.reading(large) },
      { script: sh`cat`.reading('a\0b') },
    ])
    expect(answers).toEqual(['0|one\n|', '0||', '0|3000000\n|', '0||', '0|no newlineend\n|', '4||', '0|a\0b|'])
  })

  it.runIf(there)('run beside each other where they say so, each with its own input', () => {
    // The first ends only when the third has begun.
    const waits = sh`until [ -e "$FLEETPLAY_TMP/begun" ]; do sleep 0.05; done; cat`
    const answers = run([
      { script: waits.reading('first'), aside: true },
      { script: sh`cat`.reading('between') },
      { script: sh`: >"$FLEETPLAY_TMP/begun"; cat; exit 7`.reading('last\n'), aside: true },
      { script: sh`cat`, aside: true },
    ])
    expect(answers).toEqual(['0|first|', '0|between|', '7|last\n|', '0||'])
  })

  it.runIf(there)('stop at the first that fails where that is asked for', () => {
    const parts = [
      { script: sh`echo a` },
      { script: sh`cat; exit 5`.reading('b') },
      { script: sh`echo c`.reading('d') },
    ]
    expect(run(parts, { stopAtFailure: true })).toEqual(['0|a\n|', '5|b|', 'undefined||'])
    expect(run(parts)).toEqual(['0|a\n|', '5|b|', '0|c\n|'])
  })

  it.runIf(there)('carry bytes, much of them and none', () => {
    const answers = run([
      { script: sh`printf '1 0\n\0\377'` },
      { script: sh`head -c 2000000 /dev/zero` },
      { script: sh`:` },
    ])
    expect(answers?.map(({ length }) => length)).toEqual([2 + 6 + 1, 2_000_003, 3])
    expect(run([])).toEqual([])
  })
})

describe('an answer of sections', () => {
  const whole = Buffer.from('0 0\n1 -\n 2 a\n 0 b\n 0 c\n 0 d\n 2 total\nok')

  it('is taken apart only where it is whole', () => {
    expect(sectionAnswers(whole, 2)).toEqual([
      { status: 0, stdout: Buffer.from('ok'), stderr: Buffer.alloc(0) },
      { status: undefined, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) },
    ])
    for (let cut = 0; cut < whole.length; cut++) expect(sectionAnswers(whole.subarray(0, cut), 2)).toBeUndefined()
    expect(sectionAnswers(Buffer.concat([whole, Buffer.from('x')]), 2)).toBeUndefined()
  })

  it('tells how many had ended when it was cut', () => {
    expect(sectionsEnded(Buffer.from(''))).toBe(0)
    expect(sectionsEnded(Buffer.from('0 0\n1 0\n'))).toBe(2)
    expect(sectionsEnded(whole)).toBe(1)
  })
})
