import { describe, expect, it } from 'vitest'
import { typicalFacts } from '../../dsl/play.ts'
import { cpuSteal } from '../../index.ts'
import { type CpuTime, cpuTime } from '../../modules/cpu-steal.ts'
import { shells } from '../connection/shells.ts'
import { answers, inShell, readScript } from './answers.ts'

const read = (text: string) => answers([cpuTime], { stdout: Buffer.from(text) })[0]
const find = (before: CpuTime, now: CpuTime, task = cpuSteal({ during: '30s' })) =>
  task.find({ before, now, facts: typicalFacts })

describe('cpuTime', () => {
  it('has what was stolen as the eighth number, and no guest time, which is in user time already', () => {
    expect(read('1363 0 49 72709 54 0 0 25 800 10\n')).toEqual({ total: 1363 + 49 + 72_709 + 54 + 25, steal: 25 })
    expect(read('1363 0 49 72709 54 0 0 25\n')).toMatchObject({ steal: 25 })
  })

  it.each(['', '1 2 3\n', 'a b c d e f g h\n'])('is not made of %j', (text) => {
    expect(read(text)).toMatchObject({ code: 'E_PROBE_UNPARSABLE' })
  })

  it.each(shells.filter(({ there }) => there))('is read in $title, by the shell itself', ({ name }) => {
    const { total, steal } = answers([cpuTime], inShell(name, readScript([cpuTime])))[0] as CpuTime
    expect(total).toBeGreaterThan(steal)
    expect(readScript([cpuTime]).text).not.toMatch(/cat|grep|awk/)
  })
})

describe('cpuSteal()', () => {
  const before = { total: 10_000, steal: 10 }

  it('tells the share of the span, and of all the time since the host was started', () => {
    expect(find(before, { total: 13_000, steal: 100 })).toEqual({
      says: '3.0 % of the processor time was stolen in 30 s, 0.8 % since it was started',
    })
    expect(find({ total: 1, steal: 0 }, { total: 3001, steal: 0 })).toEqual({
      says: '0 % of the processor time was stolen in 30 s, none since it was started',
    })
  })

  it('expects less than a share', () => {
    const task = cpuSteal({ during: '30s' }).expect({ below: 5 })
    expect(find(before, { total: 13_000, steal: 159 }, task)).not.toHaveProperty('unexpected')
    expect(find(before, { total: 13_000, steal: 160 }, task)).toMatchObject({
      unexpected: { message: '5.0 % of the processor time was stolen in 30 s; expected was less than 5.0 %.' },
    })
  })

  it('takes a counter that went back over a migration for nothing stolen', () => {
    expect(find(before, { total: 13_000, steal: 4 }).says).toMatch(/^0 % /)
  })

  it('says that it could not see, where no time was counted or the host was started again', () => {
    expect(() => find(before, before)).toThrow('No processor time was counted in 30 s.')
    expect(() => find(before, { total: 5, steal: 0 })).toThrow('No processor time was counted in 30 s.')
  })

  it('refuses a span or a share that is none before any connection', () => {
    const problems = (task: ReturnType<typeof cpuSteal>) => task.problems.map(({ message }) => message)
    expect(cpuSteal({ during: '30s' }).window).toBe(30)
    expect(problems(cpuSteal({ during: '0s' }))).toEqual(['cpuSteal: 0s is no span to wait'])
    expect(problems(cpuSteal({ during: '5' as '5s' }))).toHaveLength(1)
    for (const below of [0, -1, 101, Number.NaN])
      expect(problems(cpuSteal({ during: '1s' }).expect({ below }))).toHaveLength(1)
  })
})
