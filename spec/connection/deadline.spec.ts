import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, Folder, processes, type ShellName, shells, told, until } from './shells.ts'

/** Scripts that do not end, each with the number of seconds by which its sleepers are found. */
const cases = {
  group: { nap: 5471, script: (nap: string) => `echo begun; sleep ${nap} & (sleep ${nap}); echo never` },
  deaf: { nap: 5472, script: (nap: string) => `trap '' TERM; sleep ${nap}; sleep ${nap}; echo never` },
  silent: { nap: 5473, script: (nap: string) => `exec </dev/null >/dev/null 2>&1; sleep ${nap}` },
  withoutSetsid: { nap: 5474, script: (nap: string) => `echo begun; exec sleep ${nap}` },
} as const

type Case = keyof typeof cases

const folders = new Map<string, Folder>(shells.map(({ name }) => [name, new Folder(name)]))
const outcomes = new Map<string, Awaited<ReturnType<typeof outcome>>>()

// All of them wait side by side.
beforeAll(async () => {
  const all = shells
    .filter(({ there }) => there)
    .flatMap(({ name }) => Object.keys(cases).map((each) => [name, each as Case] as const))
  const killed = shells.filter(({ there }) => there).map(({ name }) => killLoop(name))
  await Promise.all(all.map(async ([name, each]) => outcomes.set(`${name} ${each}`, await outcome(name, each))))
  await Promise.all(killed)
})
afterAll(() => {
  for (const folder of folders.values()) folder.remove()
})

async function outcome(name: ShellName, which: Case) {
  const nap = `${cases[which].nap}.${shells.findIndex((shell) => shell.name === name)}`
  const hide = (command: string) => command.replace('command -v setsid', 'command -v no-setsid')
  const connection = folders.get(name)!.connection({}, which === 'withoutSetsid' ? hide : undefined)
  const session = await connection.open()
  const begun = performance.now()
  const [late, next] = await session.run([ask(cases[which].script(nap), 'unread', 1), ask('cat; echo next', 'input\n')])
  const seconds = (performance.now() - begun) / 1000
  const left = processes('sleep', nap)
  await connection.close()
  return { late: told(late!), next: told(next!), seconds, left }
}

const killed = new Map<string, unknown>()

/** A script that kills the loop, and goes on. */
async function killLoop(name: ShellName): Promise<void> {
  const folder = new Folder(name)
  folders.set(`${name} killed`, folder)
  const session = await folder.connection().open()
  const nap = `5475.${shells.findIndex((shell) => shell.name === name)}`
  const failure = await session.run([ask(`kill -9 $PPID; exec sleep ${nap}`, '', 1)]).catch((error: unknown) => error)
  const before = folder.left().length
  await until(() => folder.left().length === 0)
  killed.set(name, { failure, before, after: processes('sleep', nap) })
}

describe.each(shells)('a deadline under $title', ({ name, there }) => {
  const of = (which: Case) => outcomes.get(`${name} ${which}`)!

  it.runIf(there)('ends the whole group, and keeps what was written', () => {
    expect(of('group').late).toMatchObject({ status: undefined, stdout: 'begun\n', timedOut: true })
    expect(of('group').seconds).toBeGreaterThan(0.95)
  })

  it.runIf(there)('kills what does not listen to SIGTERM', () => {
    expect(of('deaf').late).toMatchObject({ status: undefined, stdout: '', timedOut: true })
    expect(of('deaf').seconds).toBeGreaterThan(2.95)
  })

  it.runIf(there)('ends what has closed its input and output', () => {
    expect(of('silent').late).toMatchObject({ status: undefined, timedOut: true })
  })

  it.runIf(there)('ends at least the script itself where there is no setsid', () => {
    expect(of('withoutSetsid').late).toMatchObject({ stdout: 'begun\n', timedOut: true })
  })

  it.runIf(there)('comes though the loop was killed, and nothing is left', () => {
    expect(killed.get(name)).toMatchObject({
      failure: { code: 'E_CONNECTION_LOST' },
      before: 1,
      after: [],
    })
  })

  it.runIf(there).each(Object.keys(cases) as Case[])('disturbs nothing after it and leaves nothing: %s', (which) => {
    expect(of(which).next).toEqual({ status: 0, stdout: 'input\nnext\n', stderr: '', timedOut: false })
    expect(of(which).left).toEqual([])
  })
})
