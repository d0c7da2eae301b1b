import { describe, expect, it } from 'vitest'
import { configTest } from '../../dsl/guard.ts'
import { type FromOutside, Observation, type Observed } from '../../dsl/observation.ts'
import { want } from '../../dsl/resource.ts'
import { changed, Task } from '../../dsl/task.ts'
import { Failure } from '../../errors/failure.ts'
import type { HttpAnswer } from '../../probe/http.ts'
import { textReport } from '../../report/text.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { restart } from '../../modules/service.ts'
import { sh } from '../../shell/script.ts'
import { cell } from './cell.ts'

/** Compares a cell's two readings. */
class Watch extends Observation<string | null> {
  readonly module = 'watch'
  readonly id: string
  readonly seconds: number
  constructor(id: string, seconds = 0) {
    super()
    this.id = id
    this.seconds = seconds
  }
  override get window() {
    return this.seconds
  }
  get view() {
    return cell(this.id, [])
  }
  find({ now, before }: Observed<string | null>) {
    const says = `${before} → ${now}`
    const files = now === 'kept' ? [{ name: 'a.svg', content: '<svg/>' }] : []
    const unexpected = now === 'bad' ? { message: 'It is bad.', hint: 'Make it good.' } : undefined
    return { says, table: ['one', 'two'], files, unexpected }
  }
}

class Page extends Observation<HttpAnswer> {
  readonly module = 'page'
  readonly id = 'home'
  get view(): FromOutside {
    const request = { url: 'https://a.example/', method: 'GET', headers: {}, via: undefined, verify: true, deadline: 5 }
    return { key: 'http:home', request: request as FromOutside['request'] }
  }
  find({ now }: Observed<HttpAnswer>) {
    return { says: `status ${now.final.status}` }
  }
}

class Fill extends Task {
  readonly module = 'fill'
  readonly id = 'a'
  get wishes() {
    return [want(cell('a', []), 'x')]
  }
}

const told = ({ observations }: Awaited<ReturnType<typeof run>>) =>
  observations.map(({ host, task, outcome, says, reason }) => `${host} ${task.title} ${outcome}: ${says || reason}`)

describe('an observation', () => {
  it('notifies nobody and has nothing to put back, which is told before any connection', () => {
    const watch = new Watch('a')
    // @ts-expect-error -- nothing that it does would set a handler off
    const notifies = watch.notify(restart('nginx'))
    // @ts-expect-error -- it writes nothing
    const guarded = watch.guardedBy(configTest('sshd -t', sh`sshd -t`))
    expect([notifies, guarded].map(({ problems }) => problems.map(({ code, message }) => [code, message]))).toEqual([
      [['E_PLAY_INVALID', 'notify: an observation changes nothing, so it notifies nobody']],
      [['E_PLAY_INVALID', 'guardedBy: an observation changes nothing, so there is nothing to put back']],
    ])
  })

  it('is made when the tasks are done and the play has reacted, and changes nothing', async () => {
    const result = await run([new Watch('a'), new Fill()], mockHost('web1'))
    expect(told(result)).toEqual(['web1 watch a ok: x → x'])
    expect(result.events.map(({ type }) => type).lastIndexOf('task')).toBeLessThan(
      result.events.findIndex(({ type }) => type === 'observation'),
    )
    expect(result.tasks.map(({ task }) => task.title)).toEqual(['fill a'])
    expect(result.recap.tasks).toEqual({ ok: 1, changed: 1, skipped: 0, failed: 0 })
  })

  it('compares two readings where it has a window, and waits for it no longer than it is', async () => {
    const host = mockHost('web1').shows(cell('w', []), '1', '2')
    const pauses: number[] = []
    host.memory.pause = async (seconds) => void pauses.push(seconds)
    const result = await run([new Watch('w', 30), new Watch('v', 5), new Watch('u', 30)], host)
    expect(told(result)[1]).toBe('web1 watch w ok: 1 → 2')
    expect(pauses).toEqual([5, 25])
  })

  it('of all hosts is made side by side, when the last of them has reacted', async () => {
    const { events } = await run([new Watch('a'), new Fill()], [mockHost('web1'), mockHost('web2')])
    const order = events.flatMap(({ type }) => (type === 'task' || type === 'observation' ? [type] : []))
    expect(order).toEqual(['task', 'task', 'observation', 'observation'])
  })

  it('that sees what was not expected fails its host, with the remedy', async () => {
    const result = await run(new Watch('a'), mockHost('web1').has(cell('a', []), 'bad'))
    expect(told(result)).toEqual(['web1 watch a failed: bad → bad'])
    expect(result.observations[0]?.failure).toMatchObject({ code: 'E_UNEXPECTED', hint: 'Make it good.' })
    expect(result.observations[0]?.failure?.place?.file).toContain('observe.spec.ts')
    expect(result.hosts).toEqual({ web1: 'failed' })
    expect(result.recap.hosts.failed).toBe(1)
  })

  it('only warns where it is told to', async () => {
    const result = await run(new Watch('a').warn(), mockHost('web1').has(cell('a', []), 'bad'))
    expect(told(result)).toEqual(['web1 watch a warned: bad → bad'])
    expect(result.hosts).toEqual({ web1: 'ok' })
  })

  it('is looked at again as often as its task says', async () => {
    const host = mockHost('web1').shows(cell('a', []), 'bad', 'bad', 'good')
    expect(told(await run(new Watch('a').retry(3, '1s'), host))).toEqual(['web1 watch a ok: good → good'])
    const worse = mockHost('web1').shows(cell('a', []), 'bad', 'bad', 'good')
    expect((await run(new Watch('a').retry(2, '1s'), worse)).hosts).toEqual({ web1: 'failed' })
  })

  it('is not made by a plan, nor on a host that failed, nor where its condition does not hold', async () => {
    const plan = await run([new Watch('a')], mockHost('web1'), { check: true })
    expect(told(plan)).toEqual(['web1 watch a skipped: a plan does not observe'])
    const fill = new Fill()
    const failed = await run([fill, new Watch('a')], mockHost('web1').fails(fill, { stderr: 'no' }))
    expect(told(failed)).toEqual(['web1 watch a skipped: the host failed before it'])
    const idle = await run([fill, new Watch('a').when(changed(fill))], mockHost('web1').has(cell('a', []), 'x'))
    expect(told(idle)).toEqual(['web1 watch a skipped: the task that it depends on changed nothing'])
    const elsewhere = await run(
      new Watch('a').when(() => false),
      mockHost('web1'),
    )
    expect(told(elsewhere)).toEqual(['web1 watch a skipped: its condition does not hold on this host'])
  })

  it('says what cannot be read, and when the host was lost', async () => {
    const unread = await run(new Watch('a'), mockHost('web1').cannotRead(cell('a', []), 'no cell here'))
    expect(unread.observations[0]?.failure?.message).toBe('no cell here')
    const host = mockHost('web1')
    const read = host.memory.read.bind(host.memory)
    let calls = 0
    host.memory.read = async (resources) => {
      if (++calls === 1) throw new Failure('E_CONNECTION_LOST', 'web1 was lost.')
      return read(resources)
    }
    const lost = await run(new Watch('a'), host)
    expect(lost.hosts).toEqual({ web1: 'unreachable' })
    expect(told(lost)).toEqual(['web1 watch a skipped: the host was lost before it'])
  })

  it('asks from outside; of a mock host only what the test says', async () => {
    const final = { status: 200, headers: {}, after: 1 }
    const answer: HttpAnswer = { protocol: 'HTTP/2', informational: [], final, body: '' }
    const host = mockHost('web1')
    expect(told(await run(new Page(), host))).toEqual([
      'web1 page home skipped: a simulated host has nothing to observe',
    ])
    expect(told(await run(new Page(), host.has(new Page().view, answer)))).toEqual(['web1 page home ok: status 200'])
  })

  it('is told with its table and the files that it left', async () => {
    const { events } = await run(new Watch('a'), mockHost('web1').has(cell('a', []), 'kept'))
    const text = textReport(
      [
        {
          type: 'run-started',
          play: 'p',
          inventory: 'i',
          limit: undefined,
          hosts: ['web1'],
          simulated: [],
          tasks: 1,
          check: false,
        },
        ...events,
      ],
      { color: false, width: 80, folder: import.meta.dirname, diff: undefined, again: undefined },
    )
    expect(text).toContain(`observed
  watch a               web1             observe.spec.ts:`)
    expect(text).toContain(`
    kept → kept
      one
      two
    a.svg
`)
  })
})
