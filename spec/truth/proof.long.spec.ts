import { readFileSync, watch, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { configTest, file, handler, line, sh } from '../../index.ts'
import { Real, realShells } from '../modules/real.ts'

describe.each(realShells)('a write that somebody else undoes at once, by $title', ({ name: shell, there }) => {
  const real = new Real(shell)
  afterAll(() => real.remove())

  it.runIf(there)('is a failure of its own, which shows both states, and nothing reacts to it', async () => {
    const path = real.path('conf')
    writeFileSync(path, 'A=0\n')
    writeFileSync(real.path('other'), '')
    // Another program that owns the file, and puts its own content back whenever that is another.
    const other = watch(real.root, () => {
      if (readFileSync(path, 'utf8') !== 'A=0\n') writeFileSync(path, 'A=0\n')
    })
    // Reading waits until the other one has had its turn.
    const slow = line(real.path('other')).present('B=1').guardedBy(configTest('slow', sh`sleep 1`))
    const reacted = handler('tell', sh`: >${real.path('reacted')}`)
    const result = await real.run([file(path).content('A=1\nB=2\n').mode('0644').notify(reacted), slow])
    other.close()

    expect(result.outcomes).toEqual(['failed', 'changed'])
    const [failed] = result.told
    expect(failed?.failure?.code).toBe('E_NOT_CONVERGED')
    expect(failed?.failure?.message).toBe(
      `${path} was changed without an error, yet it is "A=0" in line 1 and not "A=1".`,
    )
    expect(result.events.filter(({ type }) => type === 'reaction')).toEqual([])
    expect(real.entries()).not.toContain('reacted')
    expect(readFileSync(path, 'utf8')).toBe('A=0\n')
    expect(readFileSync(real.path('other'), 'utf8')).toBe('B=1\n')
  })
})
