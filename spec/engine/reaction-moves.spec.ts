import { describe, expect, it } from 'vitest'
import { command } from '../../modules/command.ts'
import { reload, restart } from '../../modules/service.ts'
import { unit } from '../../modules/unit.ts'
import { pendingReactions } from '../../engine/pending.ts'
import { resuming } from '../../engine/resumed.ts'
import { sh } from '../../shell/script.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { fill } from './cell.ts'
import { playOf, Records } from './recorded-run.ts'

const nginx = unit('nginx.service')
const site = (active: boolean) => mockHost('web1').has(nginx, { enabled: 'disabled', active })
const play = playOf('p', [fill('a', 'x'), fill('b', 'y').notify(restart('nginx')), fill('c', 'z')])

describe('a restart of a unit that was stopped', () => {
  it('is on record with the task that called for it', async () => {
    const host = site(false)
    const { record } = await new Records().run(play, [host.memory])
    expect(host.holds(nginx)).toEqual({ enabled: 'disabled', active: true })
    const by = { key: nginx.key, task: { title: 'fill b' }, reaction: 'restart nginx', end: 'done' }
    expect(record.moves.filter(({ reaction }) => reaction)).toMatchObject([
      { ...by, from: { value: { active: false } }, to: { value: { active: true } } },
    ])
  })

  it('is turned round by a stop, before what the unit runs by goes, and is started by no reaction', async () => {
    const [host, records] = [site(false), new Records()]
    const { record } = await records.run(play, [host.memory])
    const plan = await records.undo(record, play, [host.memory], { check: true })
    expect(plan.tasks[1]).toBe('fill b: changed, nginx.service disabled, active → disabled, inactive, b y → null')
    expect(plan.reactions).toEqual([])
    const back = await records.undo(record, play, [host.memory])
    expect(back.reactions).toEqual([])
    expect(host.holds(nginx)).toEqual({ enabled: 'disabled', active: false })
    const again = await records.undo(back.record, play, [host.memory])
    expect(again.reactions).toEqual(['restart nginx done'])
    expect(host.holds(nginx)).toEqual({ enabled: 'disabled', active: true })
  })

  it('is not done for a stopped unit, and what it would have absorbed is', async () => {
    const both = playOf('p', [fill('a', 'x').notify(restart('nginx')), fill('b', 'y').notify(reload('nginx'))])
    const [host, records] = [site(false), new Records()]
    const { record, reactions } = await records.run(both, [host.memory])
    expect(reactions).toEqual(['restart nginx done'])
    const back = await records.undo(record, both, [host.memory])
    expect(back.reactions).toEqual(['reload nginx done'])
    expect(host.holds(pendingReactions(undefined))).toEqual({})
  })

  it('is nothing to be resumed by: what was run once is not run twice', async () => {
    const once = playOf('p', [command('once', sh`date`).always().notify(restart('nginx'))])
    const { record } = await new Records().run(once, [site(false).memory])
    const { leaves } = resuming([record])({ play: 'p', host: 'web1' })
    expect(leaves?.(record.moves[0]!.task)).toBe('it was run already, and is not run twice')
  })
})

describe('a restart of a unit that ran', () => {
  it('moves nothing, and is done once more when it is turned round', async () => {
    const [host, records] = [site(true), new Records()]
    const { record } = await records.run(play, [host.memory])
    expect(record.moves.filter(({ reaction }) => reaction)).toEqual([])
    const back = await records.undo(record, play, [host.memory])
    expect(back.reactions).toEqual(['restart nginx done'])
    expect(host.holds(nginx)).toEqual({ enabled: 'disabled', active: true })
  })
})
