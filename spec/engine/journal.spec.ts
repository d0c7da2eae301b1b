import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { configTest } from '../../dsl/guard.ts'
import { handler } from '../../dsl/handler.ts'
import { knownAfterApply } from '../../dsl/known-after.ts'
import { type Resource, want } from '../../dsl/resource.ts'
import { Task } from '../../dsl/task.ts'
import { readRun, type RunRecord } from '../../engine/history.ts'
import { isMove } from '../../engine/host.ts'
import { openJournal } from '../../engine/journal.ts'
import { keptPlace } from '../../engine/kept.ts'
import { Failure } from '../../errors/failure.ts'
import { file } from '../../modules/file.ts'
import { Probe } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { Real, realShells } from '../modules/real.ts'
import { cell, fill } from './cell.ts'
import { playOf, Records } from './recorded-run.ts'

const ends = ({ moves }: RunRecord) => moves.map(({ label, end }) => `${label} ${end}`)
const broken = { stderr: 'no' }

/** One place of any kind. */
class Hold<T> extends Task {
  readonly module = 'hold'
  readonly id: string
  readonly place: Resource<T>
  readonly value: T
  constructor(place: Resource<T>, value: T) {
    super()
    this.id = place.key.split(':')[1]!
    this.place = place
    this.value = value
  }
  get wishes() {
    return [want(this.place, this.value as T)]
  }
}

function secretCell(path: string): Resource<string> {
  return {
    key: `secret:${path}`,
    label: 'the password',
    sensitive: true,
    read: Probe.script(sh`cat -- ${path} 2>/dev/null || :`, ({ stdout }) => stdout.toString()),
    write: (to) => sh`cat >${path}`.reading(to).touches(),
    fresh: '',
  }
}

describe('the journal of a run', () => {
  it('has the moves on disk before the host is touched, and not before they are decided', async () => {
    const records = new Records()
    const { memory } = mockHost('web1')
    const seen: (readonly string[])[] = []
    const real = memory.apply.bind(memory)
    memory.apply = async (steps) => {
      const open = readRun('run1', records.folder).moves.filter(({ end }) => end === 'open')
      seen.push(open.map(({ key }) => key))
      // Whatever is sent is announced.
      const moved = steps.filter(isMove).map(({ resource }) => resource.key)
      expect(open.map(({ key }) => key)).toEqual(moved)
      return real(steps)
    }
    const alone = fill('c', 'x').timeout('1m')
    await records.run(playOf('p', [fill('a', 'x'), fill('b', 'x'), alone]), [memory])
    expect(seen).toEqual([['cell:a', 'cell:b'], ['cell:c']])
  })

  it('tells how each move ended', async () => {
    const records = new Records()
    const host = mockHost('web1').fails(cell('b'), broken)
    const tasks = [fill('a', 'x'), fill('b', 'x').ignoreErrors(), fill('c', 'x'), fill('d', 'x', { unprovable: true })]
    const { record } = await records.run(playOf('p', tasks), [host.memory])
    expect(ends(record)).toEqual(['a proved', 'b failed', 'c proved', 'd done'])
    expect(record.finished).toMatchObject({ interrupted: false })
  })

  it('tells what was not run because something before it failed, and what does not hold', async () => {
    const records = new Records()
    const host = mockHost('web1').fails(cell('b'), broken)
    const first = await records.run(playOf('p', [fill('a', 'x'), fill('b', 'x'), fill('c', 'x')]), [host.memory])
    expect(ends(first.record)).toEqual(['a proved', 'b failed', 'c not run'])
    const other = mockHost('web2').shows(cell('a'), null, 'else')
    const second = await records.run(playOf('p', [fill('a', 'x')]), [other.memory])
    expect(ends(second.record)).toEqual(['a disproved'])
    expect(second.record.moves[0]!.to).toEqual({ value: 'else' })
  })

  it('tells what a configuration test put back', async () => {
    const records = new Records()
    const test = configTest('daemon -t', sh`true`)
    const host = mockHost('web1').fails(test, broken)
    const tasks = [fill('a', 'x').guardedBy(test), fill('b', 'x').guardedBy(test)]
    expect(ends((await records.run(playOf('p', tasks), [host.memory])).record)).toEqual(['a put back', 'b put back'])
  })

  it('leaves open what a lost host may have done', async () => {
    const records = new Records()
    const { memory } = mockHost('web1').unreachable('apply')
    const { record } = await records.run(playOf('p', [fill('a', 'x')]), [memory])
    expect(ends(record)).toEqual(['a open'])
  })

  it('has done, and not proved, where the host was lost before it was read again', async () => {
    const records = new Records()
    const { memory } = mockHost('web1')
    const real = memory.read.bind(memory)
    let reads = 0
    memory.read = async (resources) => {
      if (++reads > 1) throw new Failure('E_CONNECTION_LOST', 'web1 was lost.')
      return real(resources)
    }
    const { record } = await records.run(playOf('p', [fill('a', 'x')]), [memory])
    expect(ends(record)).toEqual(['a done'])
  })

  it('has every attempt of a task', async () => {
    const records = new Records()
    const { memory } = mockHost('web1')
    const failure = new Failure('E_COMMAND', 'busy')
    let left = 1
    memory.failing.get = (key) => (key === 'cell:a' && left-- > 0 ? failure : undefined)
    const { record } = await records.run(playOf('p', [fill('a', 'x').retry(2, '1ms')]), [memory])
    expect(ends(record)).toEqual(['a failed', 'a proved'])
  })

  it('says that a failed write did nothing, where a handler rests on that', async () => {
    const records = new Records()
    const host = mockHost('web1').fails(cell('a'), broken)
    const task = fill('a', 'x').notify(handler('h', sh`true`))
    expect(ends((await records.run(playOf('p', [task]), [host.memory])).record)).toEqual(['a not run'])
  })

  it('has the value that the host chose', async () => {
    const records = new Records()
    const user: Resource<{ readonly uid: unknown } | null> = {
      key: 'user:deploy',
      read: Probe.known(null),
      write: () => sh`true`.touches(),
      fresh: null,
    }
    const host = mockHost('web1').shows(user, null, { uid: 1001 })
    const { record } = await records.run(playOf('p', [new Hold(user, { uid: knownAfterApply })]), [host.memory])
    expect(ends(record)).toEqual(['deploy proved'])
    expect(record.moves[0]).toMatchObject({ from: { value: null }, to: { value: { uid: 1001 } } })
  })

  it('has secret values as keyed digests only, and the host keeps the old one', async () => {
    const records = new Records()
    const place = secretCell('/s')
    const host = mockHost('web1').has(place, 'hunter2-old-password')
    const { record } = await records.run(playOf('p', [new Hold(place, 'correct-horse-battery')]), [host.memory])
    expect(records.text()).not.toMatch(/hunter2|correct-horse/)
    expect(record.moves[0]).toMatchObject({
      from: { digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
      to: { digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    })
    const kept = host.holds(keptPlace({ run: record.header.id, play: 'p', move: 0 }))
    expect(kept).toEqual({ value: 'hunter2-old-password' })
  })

  it('is private, and is written by no plan', async () => {
    const records = new Records()
    const { memory } = mockHost('web1')
    await records.run(playOf('p', [fill('a', 'x')]), [memory], { check: true })
    expect(readdirSync(records.folder)).toEqual([])
    await records.run(playOf('p', [fill('a', 'x')]), [memory])
    expect(statSync(join(records.folder, 'run2')).mode & 0o777).toBe(0o700)
    expect(statSync(records.file()).mode & 0o777).toBe(0o600)
  })

  it('tells nothing of a live display', async () => {
    const records = new Records()
    await records.run(playOf('p', [fill('a', 'x')]), [mockHost('web1').memory])
    expect(records.lines().map(({ type }) => type)).not.toContain('progress')
  })

  it('that cannot be written ends the run before the host is touched', async () => {
    const records = new Records()
    const host = mockHost('web1')
    const { memory } = host
    const read = memory.read.bind(memory)
    memory.read = async (resources) => {
      rmSync(join(records.folder, 'run1'), { recursive: true })
      return read(resources)
    }
    await expect(records.run(playOf('p', [fill('a', 'x')]), [memory])).rejects.toMatchObject({
      code: 'E_RECORD',
      message: expect.stringMatching(/run1\/journal\.jsonl cannot be written: ENOENT/) as string,
    })
    expect(host.holds(cell('a'))).toBeNull()
  })

  it('begins once: a run of the same name is refused', async () => {
    const records = new Records()
    await records.run(playOf('p', [fill('a', 'x')]), [mockHost('web1').memory])
    const { header } = readRun('run1', records.folder)
    expect(() => openJournal(header, records.recorder, records.folder)).toThrow('EEXIST')
  })
})

describe('a journal that is read', () => {
  async function made(...hosts: readonly string[]) {
    const records = new Records()
    await records.run(
      playOf('p', [fill('a', 'x')]),
      hosts.map((name) => mockHost(name).memory),
    )
    return records
  }

  it('may be cut in the middle of its last line', async () => {
    const records = await made('web1')
    const whole = readFileSync(records.file())
    // At each byte of the line that announces a move, and of the one after it.
    const begin = whole.indexOf('{"type":"moves"')
    const end = whole.indexOf('\n', begin)
    for (let cut = begin; cut <= end; cut++) {
      writeFileSync(records.file(), whole.subarray(0, cut))
      expect(readRun('run1', records.folder)).toMatchObject({ moves: [], finished: undefined })
    }
    writeFileSync(records.file(), whole.subarray(0, end + 10))
    expect(ends(readRun('run1', records.folder))).toEqual(['a open'])
  })

  it('tells moves of hosts apart, which have the same numbers', async () => {
    const { moves } = readRun('run1', (await made('web1', 'web2')).folder)
    expect(moves.map(({ host, id, end }) => [host, id, end])).toEqual([
      ['web1', 0, 'proved'],
      ['web2', 0, 'proved'],
    ])
  })

  it('is refused in another version, with what to do', async () => {
    const records = await made('web1')
    writeFileSync(records.file(), records.text().replace('"version":1', '"version":2'))
    expect(() => readRun('run1', records.folder)).toThrow(
      expect.objectContaining({
        message: 'The journal of run1 has the form 2.',
        hint: expect.stringContaining('the fleetplay that wrote it') as string,
      }),
    )
  })

  it('is refused where a line in its middle is none', async () => {
    const records = await made('web1')
    appendFileSync(records.file(), 'no json\n')
    expect(() => readRun('run1', records.folder)).toThrow(/Line \d+ of the journal of run1 is not JSON/)
  })
})

// Bash differs from dash in nothing that these scripts say.
describe.each(realShells.filter(({ name }) => name !== 'bash'))(
  'what is kept on a host under $name',
  ({ name: shell }) => {
    let real: Real
    afterEach(() => real.remove())
    const kept = () => join(real.tools.state, 'fleetplay/kept')
    const change = (records: Records, value: string) =>
      records.run(playOf('p', [new Hold(secretCell(real.path('secret')), value)]), [real.host()])

    it('is the old secret, for its owner alone, and nothing of it is in the journal', async () => {
      real = new Real(shell)
      const records = new Records()
      writeFileSync(real.path('secret'), 'the-old-password')
      const { record, tasks } = await change(records, 'the-new-password')
      expect(tasks).toHaveLength(1)
      expect(ends(record)).toEqual(['the password proved'])
      expect(real.text('secret')).toBe('the-new-password')
      const [name = '', ...others] = readdirSync(kept())
      expect(others).toEqual([])
      expect(JSON.parse(readFileSync(join(kept(), name), 'utf8'))).toEqual({ value: 'the-old-password' })
      expect(statSync(kept()).mode & 0o777).toBe(0o700)
      expect(statSync(join(kept(), name)).mode & 0o777).toBe(0o600)
      expect(records.text()).not.toMatch(/the-old-password|the-new-password/)
    })

    it('goes after thirty days', async () => {
      real = new Real(shell)
      const records = new Records()
      await change(records, 'password-one')
      await change(records, 'password-two')
      expect(readdirSync(kept())).toHaveLength(2)
      // The clock of the host goes on; the times of its files stay.
      real.tools.program('date', `[ "$1" = +%s ] || exit 1; echo $(($(/bin/date +%s) + 30 * 24 * 3600 - 60))`)
      await change(records, 'password-three')
      expect(readdirSync(kept())).toHaveLength(3)
      real.tools.program('date', `[ "$1" = +%s ] || exit 1; echo $(($(/bin/date +%s) + 30 * 24 * 3600 + 60))`)
      await change(records, 'password-four')
      expect(readdirSync(kept())).toEqual([])
    })

    it('goes where there is more than a gibibyte of it, what was kept first at first', async () => {
      real = new Real(shell)
      const records = new Records()
      // Large files are kept by links, so that sparse ones take the room that is counted and no other. A digest of zeroes
      // costs seconds; the host is told one of the name that it is asked for.
      real.tools.program(
        'sha256sum',
        `read -r first; echo "$(printf %s "$first" | md5sum | cut -c1-32 | sed 's/.*/&&/')  -"`,
      )
      const replace = async (name: string, size: number) => {
        writeFileSync(real.path(name), `${name}\n`)
        truncateSync(real.path(name), size)
        const { tasks } = await records.run(playOf('p', [file(real.path(name)).content('small')]), [real.host()])
        expect(tasks).toEqual([expect.stringContaining('changed')])
        return readdirSync(kept())
      }
      const [first] = await replace('a', 500 * 1024 ** 2)
      expect(first).toMatch(/^[0-9a-f]{64}$/)
      // Times count by the second.
      await sleep(1100)
      expect(await replace('b', 400 * 1024 ** 2)).toHaveLength(2)
      const after = await replace('c', 300 * 1024 ** 2)
      expect(after).toHaveLength(2)
      expect(after).not.toContain(first)
      // One that is more than all of it is not kept, and costs the others nothing.
      expect(await replace('d', 1.5 * 1024 ** 3)).toEqual(after)
    })
  },
)
