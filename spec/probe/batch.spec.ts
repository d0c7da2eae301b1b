import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../errors/failure.ts'
import { batch } from '../../probe/batch.ts'
import { type Collector, Probe } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'

/** Asks this machine's `sh`. */
function ask(...probes: readonly Probe<unknown>[]) {
  const { script, results } = batch(probes)
  const folder = mkdtempSync(join(tmpdir(), 'fleetplay-batch-'))
  const env = { LC_ALL: 'C', PATH: process.env['PATH'], FLEETPLAY_TMP: folder }
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script.text], { input: script.input ?? '', env })
  rmSync(folder, { recursive: true })
  return results({ status: status ?? 1, stdout, stderr: stderr.toString() })
}

/** Says each word in capitals; one that is no word is a failure of its own. */
const upper: Collector<string, string> = {
  name: 'upper',
  ask: (words) => sh`echo ${words} | tr a-z A-Z`,
  answers: ({ stdout }, words) =>
    words.map((word, i) =>
      word === '-' ? new Failure('E_UNREADABLE', 'no word') : stdout.toString().trim().split(' ')[i]!,
    ),
}
const up = (word: string) => Probe.of(upper, word)
const said = (script: ReturnType<typeof sh>) => Probe.script(script, ({ stdout }) => stdout.toString())

describe('a batch', () => {
  it('asks questions of one kind by one script, equal ones once, and answers in order', () => {
    const probes = [up('a'), said(sh`printf 1`), up('b'), up('a'), said(sh`printf 2`), said(sh`printf 1`)]
    expect(batch(probes).script.text.match(/eval/g)).toHaveLength(3)
    expect(batch(probes).script.text).toContain('echo a b |')
    expect(ask(...probes)).toEqual(['A', '1', 'B', 'A', '2', '1'].map((value) => ({ value })))
  })

  it('needs no script for what is known', () => {
    expect(ask(Probe.known(7), Probe.known(null))).toEqual([{ value: 7 }, { value: null }])
    expect(ask()).toEqual([])
  })

  it('puts answers together, and makes values of them', () => {
    const both = Probe.all({
      a: up('a'),
      deep: Probe.all({ b: up('b'), known: Probe.known(1) }),
      one: said(sh`printf 1`).map(Number),
    })
    expect(ask(both, up('c'))).toEqual([{ value: { a: 'A', deep: { b: 'B', known: 1 }, one: 1 } }, { value: 'C' }])
  })

  it('gives a script its standard input, aside too', () => {
    const aside = Probe.script(sh`cat`.reading('x'), ({ stdout }) => stdout.toString(), { aside: true })
    expect(ask(said(sh`cat`.reading('a\n')), aside, said(sh`cat`.reading('b')), said(sh`cat`))).toEqual(
      ['a\n', 'x', 'b', ''].map((value) => ({ value })),
    )
  })

  it('lets one question fail alone', () => {
    const wrong = new Failure('E_UNREADABLE', 'closed')
    const results = ask(
      up('a'),
      up('-'),
      Probe.all({ a: up('a'), b: up('-') }),
      said(sh`if then`),
      up('b').map(() => {
        throw wrong
      }),
      up('b').map(() => {
        throw new TypeError('no such thing')
      }),
      Probe.script(sh`echo words >&2; exit 3`, ({ status, stderr }) => `${status} ${stderr}`),
    )
    expect(
      results.map((result) => ('value' in result ? result.value : `${result.failure.code} ${result.failure.message}`)),
    ).toEqual([
      'A',
      'E_UNREADABLE no word',
      'E_UNREADABLE no word',
      '',
      'E_UNREADABLE closed',
      'E_INTERNAL A parser failed: no such thing',
      '3 words\n',
    ])
  })

  it('lets all questions of a kind fail where their collector does', () => {
    const broken: Collector<string, string> = {
      name: 'broken',
      ask: () => sh`true`,
      answers: () => {
        throw new Failure('E_PROBE_UNPARSABLE', 'not understood')
      },
    }
    const failure = expect.objectContaining({ message: 'not understood' })
    expect(ask(Probe.of(broken, 'x'), up('a'), Probe.of(broken, 'y'))).toEqual([
      { failure },
      { value: 'A' },
      { failure },
    ])
  })

  it('says what it saw where the answer is not whole', () => {
    const { results } = batch([up('a'), said(sh`echo`)])
    const output = { status: 2, stdout: Buffer.from('0 0\n'), stderr: 'sh: no memory\n' }
    expect(results(output)).toMatchObject(
      [1, 2].map(() => ({
        failure: {
          code: 'E_PROBE_UNPARSABLE',
          seen: { command: 'the batch of questions', status: 2, output: 'sh: no memory' },
        },
      })),
    )
  })
})
