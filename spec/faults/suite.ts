/** Disturbed runs on one host of the fleet: FAULTS_SEED chooses the points, and is printed. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Disturbance, Ground, type Told } from './disturb.ts'
import { Machine } from './machine.ts'
import { chance, points } from './points.ts'
import { roles } from './roles.ts'

const seed = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000)

/** As many disturbances of each kind as are told. */
export function disturb(name: keyof typeof roles, counts: Readonly<Partial<Record<Disturbance, number>>>): void {
  const role = roles[name]!
  const called = `fault-${name}`
  const folder = mkdtempSync(join(tmpdir(), 'fleetplay-faults-'))
  // A suite of many minutes is told as it goes.
  const tell = (line: string) => console.log(`${called}: ${line}`)
  let ground: Ground
  let machine: Machine

  beforeAll(async () => {
    machine = await Machine.boot(called, role.memory)
    ground = await Ground.prepare({ machine, groups: role.groups, folder }, role)
    const { bytes, at } = ground.marks.at(-1)!
    tell(
      `seed ${seed}; a run takes ${bytes} bytes and ${(at / 1000).toFixed(1)} s, and changes ${ground.owned.length} paths`,
    )
  })
  afterAll(async () => {
    ground?.end()
    await machine?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  describe.each(Object.entries(counts) as [Disturbance, number][])(`${called}, %s`, (disturbance, count) => {
    const met: boolean[] = []
    it.each(Array.from({ length: count }, (_, i) => i))(`%i of ${count}`, async (i) => {
      const random = chance(seed + disturbance.length * 1000 + disturbance.charCodeAt(0))
      const point = points(ground.marks, count, random)[i]!
      const where = `${disturbance} after ${point.bytes} bytes and ${point.delay} ms`
      const told = await ground.disturbed(disturbance, point, i).catch((error: unknown) => {
        tell(`${where}: FAILED`)
        throw error
      })
      met.push(told.met)
      tell(`${where}: ${told.wrong.length > 0 ? 'WRONG, ' : ''}${outcome(told, ground)}`)
      expect(told.wrong, where).toEqual([])
    })
    it('met the run under way', () => expect(met.filter(Boolean).length).toBeGreaterThanOrEqual(Math.ceil(count * 0.8)))
  })
}

function outcome({ met, status, done, pending, again, seconds }: Told, { owned }: Ground): string {
  const due = pending.length > 0 ? `, on record: ${pending.join(', ')}` : ''
  const seen = done === undefined ? '' : `, ${done} of ${owned.length} paths moved${due}`
  const parts = Object.entries(seconds).map(([name, time]) => `${name} ${time.toFixed(1)}`)
  return `${met ? `ended with ${status ?? 'a signal'}` : 'the run was over'}${seen}; ${again}; ${parts.join(' ')} s`
}
