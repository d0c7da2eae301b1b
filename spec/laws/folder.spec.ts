import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Findings, tryLaws } from '../../testing/laws.ts'
import { realShells } from '../modules/real.ts'
import { Folders } from './remote-ground.ts'
import { examples } from './shown.ts'
import { untold } from './told.ts'

const inFolders = examples.filter(({ proved }) => proved === 'folder')

it('sees the examples', () => expect(inFolders.length).toBeGreaterThan(20))

describe.each(realShells)('the laws in a folder, by $title', ({ name: shell, there }) => {
  const folders = new Folders(shell)
  const found = new Map<string, Findings>()
  beforeAll(async () => {
    if (!there) return
    const all = inFolders.map((example, i) => tryLaws(example, folders.ground(i)))
    for (const [i, findings] of (await Promise.all(all)).entries()) found.set(inFolders[i]!.name, findings)
  }, 60_000)
  afterAll(() => folders.close())

  it.runIf(there).each(inFolders)('$name', ({ name }) => {
    expect(found.get(name)).toMatchObject({ breaches: [], twice: [] })
    expect(untold(found.get(name)!.events)).toEqual([])
  })

  it.runIf(there)('and every path stayed one word', () => expect(folders.canaries()).toEqual([]))
})
