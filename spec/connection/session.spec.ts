import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rmSync } from 'node:fs'
import type { Connection } from '../../connection/connection.ts'
import { connectionWith, folderWith, shells } from './shells.ts'

describe.each(shells)('a session with $name', ({ name, there }) => {
  let folder: string
  let connection: Connection
  beforeAll(() => {
    folder = folderWith(name)
    connection = connectionWith(folder)
  })
  afterAll(async () => {
    await connection.close()
    rmSync(folder, { recursive: true })
  })

  it.runIf(there)('greets, runs and answers in order, in one trip each', async () => {
    const session = await connection.open({ greet: 'echo hello; pwd; echo $LC_ALL' })
    expect(session.greeting.toString()).toBe('hello\n/\nC\n')
    const answers = await session.run([
      { script: 'cat; echo bad >&2; exit 4', input: 'payload', deadline: 10 },
      { script: 'echo two', deadline: 10 },
    ])
    expect(answers.map((a) => [a.status, a.stdout.toString(), a.stderr.toString(), a.timedOut])).toEqual([
      [4, 'payload', 'bad\n', false],
      [0, 'two\n', '', false],
    ])
    expect(connection.traffic).toMatchObject({ channels: 1, trips: 2 })
    await session.close()
  })
})
