import { describe, expect, it } from 'vitest'
import { typicalFacts } from '../../../dsl/play.ts'
import type { Task } from '../../../dsl/task.ts'
import { perfProfile, type PerfProfile } from '../../../modules/perf/profile.ts'
import type { Lacking, Samples } from '../../../modules/perf/samples.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'

const problems = (task: Task) => task.problems.map(({ message }) => message)
const found = (task: PerfProfile, now: Samples) => task.find({ now, before: now, facts: typicalFacts })

const fpm = perfProfile({ unit: 'php8.4-fpm', during: '10s' })
const busy: Samples = {
  event: 'cycles:P',
  samples: 1000,
  stacks: [
    { frames: ['php-fpm8.4', 'main', 'execute_ex', 'zend_hash_find'], samples: 600 },
    { frames: ['php-fpm8.4', 'main', 'execute_ex'], samples: 300 },
    { frames: ['php-fpm8.4', 'main', 'read', 'vfs_read_[k]'], samples: 100 },
  ],
}

describe('perfProfile()', () => {
  it('reads for its time, and is asked by the whole name of its unit', () => {
    expect(fpm.view.key).toBe('perf:php8.4-fpm.service for 10 s')
    expect(perfProfile({ pid: 42 }).view.key).toBe('perf:process 42 for 10 s')
    expect(fpm.window).toBe(0)
  })

  it('tells the functions that were most on the processor, and leaves a picture', () => {
    const { says, table, files, unexpected } = found(fpm, busy)
    expect(says).toBe('1000 samples in 10 s (cycles:P); most in zend_hash_find: 60.0 %')
    expect(table).toEqual([
      '   self    total  function',
      '  60.0 %   60.0 %  zend_hash_find',
      '  30.0 %   90.0 %  execute_ex',
      '  10.0 %   10.0 %  vfs_read_[k]',
      '   0.0 %  100.0 %  main',
      '   0.0 %   10.0 %  read',
    ])
    expect(files!.map(({ name }) => name)).toEqual(['php8.4-fpm.svg'])
    expect(files![0]!.content).toContain('>php8.4-fpm, 1000 samples in 10 s</text>')
    expect(unexpected).toBeUndefined()
  })

  it('says that a clock was used where there is no counter', () => {
    expect(found(fpm, { ...busy, event: 'task-clock:ppp' }).says).toMatch(
      /^1000 samples in 10 s \(task-clock:ppp, since there are no hardware counters\)/,
    )
  })

  it('says how many samples are not drawn', () => {
    const { files } = found(fpm, { ...busy, samples: 1010 })
    expect(files![0]!.content).toContain('cycles:P, 99 times a second, of which the 1000 most alike are drawn')
  })

  it('says that it was idle', () => {
    expect(found(fpm, { event: 'cycles:P', samples: 0, stacks: [] })).toEqual({
      says: 'php8.4-fpm was not on the processor in 10 s: no samples.',
    })
  })

  it('fails only by what is expected', () => {
    expect(found(fpm.expectBelow('zend_hash_find', '60%').expectBelow('gone', '0%'), busy).unexpected).toBeUndefined()
    expect(found(fpm.expectBelow('execute_ex', '50%'), busy).unexpected).toEqual({
      message: 'php8.4-fpm: execute_ex is on 90.0 % of the samples, not below 50 %.',
    })
  })

  it.each<[Lacking['lacks'], RegExp, RegExp]>([
    ['kernel', /because this kernel has no perf events \(perf_event_open\)$/, /CONFIG_PERF_EVENTS/],
    ['perf', /because perf is not installed$/, /linux-perf/],
    ['unit', /because php8\.4-fpm is not running$/, /Start it/],
    ['process', /because there is no php8\.4-fpm$/, /unit/],
    ['permission', /because perf could not record$/, /perf_event_paranoid/],
  ])('says why there is none: %s; that is a failure only where something was expected', (lacks, why, hint) => {
    const said = lacks === 'permission' ? 'Error:\nperf_event_paranoid setting is 2' : ''
    const only = found(fpm, { lacks, said })
    expect(only.says).toMatch(/^not available here, /)
    expect(only.says).toMatch(why)
    expect(only.table).toEqual(said === '' ? [] : said.split('\n'))
    expect(only.unexpected).toBeUndefined()
    const { unexpected } = found(fpm.expectBelow('main', '5%'), { lacks, said })
    expect(unexpected).toEqual({
      message: expect.stringContaining('is not known, because') as string,
      hint: expect.stringMatching(hint) as string,
    })
  })

  it.each<[Task, RegExp]>([
    [perfProfile({ unit: 'a b' }), /not the name of a unit/],
    [perfProfile({ pid: 0 }), /0 is not the number of a process/],
    [perfProfile({ pid: 1, during: '0s' }), /during: whole seconds, from 1s to 60s, not "0s"/],
    [perfProfile({ pid: 1, during: '2m' }), /from 1s to 60s, not "2m"/],
    // @ts-expect-error -- a duration has a unit
    [perfProfile({ pid: 1, during: '2' }), /"2" is not a duration/],
    [fpm.expectBelow('x', '200%'), /expectBelow takes a share such as 20%, not "200%"/],
  ])('tells wrong input before any connection: %#', (task, message) => {
    expect(problems(task)).toEqual([expect.stringMatching(message)])
  })

  it('changes nothing, and is told with the run', async () => {
    const host = mockHost('web1').has(fpm.view, busy)
    const { observations, changes } = await run(fpm, host)
    expect(changes).toEqual([])
    expect(observations).toMatchObject([
      { outcome: 'ok', says: expect.stringMatching(/most in zend_hash_find/) as string },
    ])
    const none = await run(
      fpm.expectBelow('main', '5%').warn(),
      mockHost('web1').has(fpm.view, { lacks: 'perf', said: '' }),
    )
    expect(none.observations).toMatchObject([{ outcome: 'warned' }])
  })
})
