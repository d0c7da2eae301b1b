import { afterAll, describe, expect, it } from 'vitest'
import type { Request } from '../../connection/connection.ts'
import { ask, Folder, processes, shells, told } from './shells.ts'

// The shells wait side by side, each in sessions of its own.
describe.concurrent.each(shells)('a deadline under $title', ({ name, there }) => {
  const folder = new Folder(name)
  // So that each shell has sleepers of its own.
  const number = shells.findIndex((shell) => shell.name === name)
  afterAll(() => folder.remove())

  async function afterwards(request: Request, change?: (command: string) => string) {
    const connection = folder.connection({}, change)
    const session = await connection.open()
    const begun = performance.now()
    const [late, next] = await session.run([request, ask('cat; echo next', 'input\n')])
    await connection.close()
    return { late: told(late!), next: told(next!), seconds: (performance.now() - begun) / 1000 }
  }

  const undisturbed = { status: 0, stdout: 'input\nnext\n', stderr: '', timedOut: false }

  it.runIf(there)('ends the whole group, and keeps what was written', async () => {
    const script = `echo begun; sleep 5471.${number} & (sleep 5471.${number}); echo never`
    const { late, next, seconds } = await afterwards(ask(script, undefined, 1))
    expect(late).toMatchObject({ status: undefined, stdout: 'begun\n', timedOut: true })
    expect(next).toEqual(undisturbed)
    expect(seconds).toBeGreaterThan(0.95)
    expect(processes('sleep', `5471.${number}`)).toEqual([])
  })

  it.runIf(there)('kills what does not listen to SIGTERM', async () => {
    const script = `trap '' TERM; sleep 5472.${number}; sleep 5472.${number}; echo never`
    const { late, next, seconds } = await afterwards(ask(script, undefined, 1))
    expect(late).toMatchObject({ status: undefined, stdout: '', timedOut: true })
    expect(next).toEqual(undisturbed)
    expect(seconds).toBeGreaterThan(2.95)
    expect(processes('sleep', `5472.${number}`)).toEqual([])
  })

  it.runIf(there)('ends what has left its own input and output', async () => {
    const script = `exec </dev/null >/dev/null 2>&1; sleep 5473.${number}`
    const { late, next } = await afterwards(ask(script, 'unread', 1))
    expect(late).toMatchObject({ status: undefined, timedOut: true })
    expect(next).toEqual(undisturbed)
    expect(processes('sleep', `5473.${number}`)).toEqual([])
  })

  it.runIf(there)('ends at least the script itself where there is no setsid', async () => {
    const script = `echo begun; exec sleep 5474.${number}`
    const { late, next } = await afterwards(ask(script, undefined, 1), (command) =>
      command.replace('command -v setsid', 'command -v no-setsid'),
    )
    expect(late).toMatchObject({ stdout: 'begun\n', timedOut: true })
    expect(next).toEqual(undisturbed)
    expect(processes('sleep', `5474.${number}`)).toEqual([])
  })
})
