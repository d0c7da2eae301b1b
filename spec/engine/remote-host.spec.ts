import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { execConnection } from '../../connection/exec.ts'
import { want } from '../../dsl/resource.ts'
import { Task } from '../../dsl/task.ts'
import { shape } from '../../dsl/shape.ts'
import type { Event } from '../../engine/events.ts'
import { fleet } from '../../engine/fleet.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { handler } from '../../dsl/handler.ts'
import { file, sh } from '../../index.ts'
import type { TaskList } from '../../dsl/task.ts'
import { Probe } from '../../probe/probe.ts'

let root: string
/** What a host has pending after one spec is none of the next one's. */
let state: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fleetplay-remote-'))
  state = mkdtempSync(join(tmpdir(), 'fleetplay-state-'))
})
afterEach(() => {
  for (const folder of [root, state]) rmSync(folder, { recursive: true })
})

const all = shape({ groups: {} })

/** Runs tasks as the user who tests, over a real shell. */
async function run(tasks: TaskList, { check = false } = {}) {
  const events: Event[] = []
  let remote: RemoteHost | undefined
  const recap = await fleet({
    plays: all.play('p').hosts('all').tasks(tasks),
    hosts: [{ name: 'here', address: 'here', groups: [], carrier: 'local', ssh: {}, become: 'sudo', vars: {} }],
    limit: undefined,
    tags: [],
    skipTags: [],
    forks: 1,
    check,
    connect: ({ name }) =>
      (remote = new RemoteHost(name, () => Promise.resolve(execConnection(['env', `XDG_STATE_HOME=${state}`])), {
        become: 'sudo',
        becomePassword: undefined,
      })),
    emit: (event) => events.push(event),
    stopping: () => false,
  })
  return {
    recap,
    trips: remote!.trips,
    tasks: events.filter((event) => event.type === 'task'),
    reactions: events.filter((event) => event.type === 'reaction'),
    lost: events.find((event) => event.type === 'unreachable'),
  }
}

/** A file below root whose write is a script of the spec's own. */
class Scripted extends Task {
  readonly module = 'scripted'
  readonly id: string
  readonly script: string
  constructor(id: string, script: string) {
    super()
    this.id = id
    this.script = script
  }
  get wishes() {
    const path = join(root, this.id)
    const read = Probe.script(sh`cat -- ${path} 2>/dev/null`, ({ stdout }) => stdout.toString())
    const write = () => sh`sh -c ${this.script} sh ${path}`.touches()
    return [want({ key: `scripted:${this.id}`, read, write }, 'done')]
  }
}
const scripted = (id: string, script: string) => new Scripted(id, script)

describe('over a real shell', () => {
  it('makes what is wished, proves it, and finds it so the second time in two trips', async () => {
    const tasks = Array.from({ length: 40 }, (_, i) =>
      file(join(root, `f${i}`))
        .content(`${i}\n`)
        .mode('0600'),
    )
    const first = await run(tasks)
    expect(first.recap.tasks).toEqual({ ok: 0, changed: 40, skipped: 0, failed: 0 })
    // greeting, questions, writes, proof
    expect(first.trips).toBe(4)
    expect(readdirSync(root)).toHaveLength(40)
    expect(readFileSync(join(root, 'f7'), 'utf8')).toBe('7\n')
    const before = readdirSync(root).map((name) => statSync(join(root, name)))
    const second = await run(tasks)
    expect(second.recap.tasks).toMatchObject({ ok: 40, changed: 0 })
    expect(second.trips).toBe(2)
    const after = readdirSync(root).map((name) => statSync(join(root, name)))
    expect(after.map(({ ino, mtimeMs, ctimeMs }) => [ino, mtimeMs, ctimeMs])).toEqual(
      before.map(({ ino, mtimeMs, ctimeMs }) => [ino, mtimeMs, ctimeMs]),
    )
  })

  it('predicts in check mode what the run then does, and writes nothing', async () => {
    writeFileSync(join(root, 'a'), 'old\n', { mode: 0o644 })
    const tasks = [file(join(root, 'a')).content('new\n'), file(join(root, 'b')).content('b').mode('0640')]
    const plan = await run(tasks, { check: true })
    expect(readdirSync(root)).toEqual(['a'])
    expect(plan.trips).toBe(2)
    const real = await run(tasks)
    expect(real.tasks.map(({ changes }) => changes)).toEqual(plan.tasks.map(({ changes }) => changes))
    const { username } = userInfo()
    expect(real.tasks[1]?.changes[0]?.after).toMatch(new RegExp(`^1 line 0640 ${username}:`))
  })

  it('stops at the first script that fails, and tells it in the words of the host', async () => {
    const tasks = [
      scripted('one', 'printf done >"$1"'),
      scripted('two', 'echo "no such device" >&2; exit 3'),
      scripted('three', 'printf done >"$1"'),
    ]
    const { tasks: told, trips } = await run(tasks)
    expect(told.map(({ outcome }) => outcome)).toEqual(['changed', 'failed', 'skipped'])
    expect(told[1]?.failure).toMatchObject({
      code: 'E_COMMAND',
      message: 'no such device',
      seen: {
        command: `sh -c 'echo "no such device" >&2; exit 3' sh ${join(root, 'two')}`,
        status: 3,
        output: 'no such device',
      },
    })
    expect(readdirSync(root)).toEqual(['one'])
    expect(trips).toBe(4)
  })

  it('says which script was in hand when the deadline came, and that those before it are done', async () => {
    const tasks = [
      scripted('one', 'printf done >"$1"'),
      scripted('two', 'sleep 60').timeout('1s'),
      scripted('three', 'printf done >"$1"'),
    ]
    const { tasks: told } = await run(tasks)
    expect(told.map(({ outcome }) => outcome)).toEqual(['changed', 'failed', 'skipped'])
    expect(told[1]?.failure).toMatchObject({ code: 'E_DEADLINE', message: 'It took longer than 1 s, and was ended.' })
  })

  it('says that a change did not hold', async () => {
    const { tasks: told } = await run([scripted('one', 'printf other >"$1"')])
    expect(told[0]?.failure).toMatchObject({
      code: 'E_NOT_CONVERGED',
      message: 'one was changed without an error, yet it is other and not done.',
    })
  })

  it('runs handlers once, in one trip, and tells which failed', async () => {
    const good = handler('note', sh`echo x >>${join(root, 'log')}`)
    const bad = handler('reload', sh`echo 'Unit is masked.' >&2; exit 1`.called('systemctl reload nginx.service'))
    const tasks = [
      file(join(root, 'a')).content('a').notify(good, bad),
      file(join(root, 'b')).content('b').notify(good),
    ]
    const { reactions, trips, recap } = await run(tasks)
    expect(reactions.map(({ handler, outcome, failure }) => [handler, outcome, failure?.message])).toEqual([
      ['note', 'done', undefined],
      ['reload', 'failed', 'Unit is masked.'],
    ])
    expect(reactions[1]?.failure?.seen).toMatchObject({ command: 'systemctl reload nginx.service', status: 1 })
    expect(readFileSync(join(root, 'log'), 'utf8')).toBe('x\n')
    expect(trips).toBe(5)
    expect(recap.hosts.failed).toBe(1)
  })

  it('is unreachable where its shell is lost in the middle, at the task in hand', async () => {
    // The watchdog of the session that is killed ends at the deadline of the script. Up from the script: its section, the joined script, the program that serves the session.
    const up =
      'p=$PPID; for i in 1 2; do while read -r k v; do [ "$k" = PPid: ] && break; done </proc/$p/status; p=$v; done'
    const { lost, recap } = await run([scripted('one', `${up}; kill -9 $p`).timeout('1s')])
    expect(recap.hosts.unreachable).toBe(1)
    expect(lost).toMatchObject({ task: { title: 'scripted one' }, failure: { code: 'E_CONNECTION_LOST' } })
  })
})
