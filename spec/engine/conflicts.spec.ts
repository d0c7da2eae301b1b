import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { shape } from '../../dsl/shape.ts'
import { changed, type Task, type TaskList } from '../../dsl/task.ts'
import { Mistakes } from '../../errors/failure.ts'
import * as words from '../../index.ts'
import { fileAt } from '../../modules/file.ts'
import { unit } from '../../modules/unit.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'

const { block, command, directory, file, line, link, reload, restart, service, sh } = words
const conf = '/etc/app.conf'
const text = (content: string) =>
  ({ type: 'file', content: { text: content }, mode: '0644', owner: 'root', group: 'root' }) as const

/** What is told before any connection: the message without names of tasks, and the line. */
async function mistakes(tasks: TaskList) {
  const host = mockHost('web1')
  const error = await run(tasks, host).catch((thrown: unknown) => thrown)
  if (!(error instanceof Mistakes)) return []
  expect(host.memory.trips).toBe(0)
  return error.failures
}

/** Both tasks by their lines, and nobody else. */
function naming(first: Task, second: Task, says: string) {
  const beside = `(${basename(import.meta.filename)}:${first.origin.place?.line})`
  return [
    {
      code: 'E_PLAY_CONFLICT',
      place: second.origin.place,
      message: expect.stringMatching(new RegExp(`^.* ${escaped(beside)}.* ${escaped(says)}$`, 's')),
    },
  ]
}

function escaped(words: string): string {
  return words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

const pairs: readonly (readonly [string, () => Task, () => Task, string, string])[] = [
  [
    'a file written whole and a line in it',
    () => file(conf).content('A=1\n'),
    () => line(conf).present('B=1'),
    `disagree on ${conf}: a part of it against 1 line 0644 root:root.`,
    `disagree on ${conf}: 1 line 0644 root:root against a part of it.`,
  ],
  [
    'no file and a line in it',
    () => file(conf).absent(),
    () => line(conf).present('B=1', { create: true }),
    `disagree on ${conf}: a part of it against absent.`,
    `disagree on ${conf}: absent against a part of it.`,
  ],
  [
    'a line that two write otherwise',
    () => line(conf).present('A=1', { matching: /^A=/ }),
    () => line(conf).present('A=2', { matching: /^A=/ }),
    `disagree on ${conf}: "A=2" against "A=1" in line 1.`,
    `disagree on ${conf}: "A=1" against "A=2" in line 1.`,
  ],
  [
    'a block with two contents',
    () => block(conf, 'app').content('a', { create: true }),
    () => block(conf, 'app').content('b', { create: true }),
    `disagree on ${conf}: "b" against "a" in line 2.`,
    `disagree on ${conf}: "a" against "b" in line 2.`,
  ],
  [
    'a service that is started and stopped',
    () => service('redis-server').enabled().started(),
    () => service('redis-server').stopped(),
    'disagree on redis-server.service: enabled, inactive against enabled, active.',
    'disagree on redis-server.service: enabled, active against enabled, inactive.',
  ],
  [
    'a user with two shells',
    () => words.user('deploy').shell('/bin/sh'),
    () => words.user('deploy').shell('/bin/bash'),
    'disagree on user deploy: shell /bin/bash against shell /bin/sh.',
    'disagree on user deploy: shell /bin/sh against shell /bin/bash.',
  ],
  [
    'a kernel parameter with two values',
    () => words.sysctl('10-a').set('vm.swappiness', 1),
    () => words.sysctl('20-b').set('vm.swappiness', 2),
    'disagree on vm.swappiness: 2 against 1.',
    'disagree on vm.swappiness: 1 against 2.',
  ],
  [
    'a directive of Redis with two values',
    () => words.redisConfig({ hz: 20 }),
    () => words.redisConfig({ hz: 30, timeout: 5 }),
    'disagree on hz: 30 against 20.',
    'disagree on hz: 20 against 30.',
  ],
  [
    'settings of PHP in one file',
    () => words.phpIni('8.4', 'app').set({ memory_limit: '128M' }),
    () => words.phpIni('8.4', 'app').set({ memory_limit: '256M' }),
    'disagree on /etc/php/8.4/fpm/conf.d/99-app.ini: "memory_limit = 256M" against "memory_limit = 128M" in line 1.',
    'disagree on /etc/php/8.4/fpm/conf.d/99-app.ini: "memory_limit = 128M" against "memory_limit = 256M" in line 1.',
  ],
  [
    'no directory and a file in it',
    () => directory('/srv/old').absent({ recursive: true }),
    () => file('/srv/old/sub/a').content('x'),
    'wants /srv/old to be absent.',
    'wants /srv/old to be absent.',
  ],
  [
    'no directory and a line of a file in it',
    () => directory('/srv/old').absent(),
    () => line('/srv/old/a').present('x'),
    'wants /srv/old to be absent.',
    'wants /srv/old to be absent.',
  ],
  [
    'a file and a directory below it',
    () => file('/srv/old').content('x'),
    () => directory('/srv/old/a'),
    'wants /srv/old to be a file.',
    'wants /srv/old to be a file.',
  ],
  [
    'a service that stays stopped and one that a reaction starts',
    () => service('redis-server').stopped(),
    () => file('/etc/redis/more.conf').content('x').notify(restart('redis-server')),
    'disagree on redis-server.service: restarted against stopped.',
    'disagree on redis-server.service: restarted against stopped.',
  ],
]

describe.each(pairs)('%s', (_, one, other, says, turned) => {
  it.each([
    ['in this order', false],
    ['in the other', true],
  ])('disagree, %s, and both lines are named', async (_name, isTurned) => {
    const [a, b] = isTurned ? [other(), one()] : [one(), other()]
    // What a place in a folder, or a reaction, is told of is always the task that has it.
    const [first, second] =
      says === turned ? [one, other].map((make) => [a, b].find((t) => sameAs(t, make()))!) : [a, b]
    expect(await mistakes([a, b])).toMatchObject(naming(first!, second!, isTurned ? turned : says))
  })

  it('disagree across two plays of one file', async () => {
    const fleet = shape({ groups: { web: {} } })
    const plays = [one(), other()].map((task, i) => fleet.play(`play ${i}`).hosts('web').become().tasks([task]))
    const host = mockHost('web1')
    const told = await run(plays, host).catch((error: unknown) => error)
    expect(told).toBeInstanceOf(Mistakes)
    expect((told as Mistakes).failures.map(({ code }) => code)).toEqual(['E_PLAY_CONFLICT'])
    expect(host.memory.trips).toBe(0)
  })

  it('do not where one is for other hosts', async () => {
    const nowhere = one().when(() => false)
    expect(await mistakes([nowhere, other()])).toEqual([])
  })
})

function sameAs(task: Task, like: Task): boolean {
  return task.module === like.module && task.id === like.id
}

describe('tasks that stand beside each other', () => {
  const agree: readonly (readonly [string, TaskList])[] = [
    ['two lines', [line(conf).present('A=1', { create: true }), line(conf).present('B=1')]],
    [
      'two blocks and a line',
      [block(conf, 'a').content('a', { create: true }), block(conf, 'b').content('b'), line(conf).absent('c')],
    ],
    ['a directory and what is in it', [directory('/srv/a'), file('/srv/a/b').content('x'), link('/srv/a/c').to('b')]],
    ['what goes with its directory', [file('/srv/a/b').absent(), directory('/srv/a').absent()]],
    ['a link and what is behind it', [link('/srv/a').to('/srv/b'), file('/srv/a/x').content('x')]],
    ['two halves of a service', [service('nginx').enabled(), service('nginx').started()]],
    ['a stopped service and its reload', [service('nginx').stopped(), file(conf).content('x').notify(reload('nginx'))]],
    [
      'a started service and its restart',
      [service('nginx').started(), file(conf).content('x').notify(restart('nginx'))],
    ],
    [
      'a job and its run',
      [words.systemdService('job').runs('/bin/true').oneshot(), file(conf).content('x').notify(restart('job'))],
    ],
  ]
  it.each(agree)('%s are no conflict', async (_, tasks) => {
    expect(await mistakes(tasks)).toEqual([])
  })
})

describe('the same wish twice', () => {
  it('sets off the handlers of both', async () => {
    const both = [
      file(conf).content('A=1\n').notify(reload('nginx')),
      file('/etc/other').content('x').notify(reload('haproxy')),
      file(conf).content('A=1\n').notify(reload('php8.4-fpm'), reload('nginx')),
    ]
    const host = mockHost('web1')
    const first = await run(both, host)
    expect(first.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'changed', 'ok'])
    expect(first.reactions.map(({ handler }) => handler)).toEqual([
      'reload nginx',
      'reload php8.4-fpm',
      'reload haproxy',
    ])
    expect((await run(both, host)).reactions).toEqual([])
  })

  it('is told once, and done once', async () => {
    const host = mockHost('web1')
    const twice = [
      file(conf).content('A=1\n').notify(reload('nginx')),
      file(conf).content('A=1\n').notify(reload('nginx')),
    ]
    for (const check of [true, false]) {
      const result = await run(twice, host, { check })
      expect(result.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'ok'])
      expect(result.changes.map(({ key }) => key)).toEqual([`file:${conf}`])
      expect(result.reactions).toHaveLength(1)
      expect(result.recap.tasks).toMatchObject({ changed: 1, ok: 1 })
    }
  })
})

describe('two tasks that disagree on what is secret', () => {
  it('are told so without the secrets', async () => {
    const key = words.secret.env('APP_KEY')
    const [whole] = await mistakes([file(conf).content(key), line(conf).present('A=1')])
    expect(whole?.message).toMatch(/disagree on \/etc\/app\.conf: another against one value, which is secret\.$/)
    const config = () => words.wpConfig('/srv/wp-config.php')
    const [part] = await mistakes([
      config().define('AUTH_KEY', key),
      config().define('AUTH_KEY', words.secret.env('OTHER')),
    ])
    expect(part?.code).toBe('E_PLAY_CONFLICT')
    expect(part?.message).not.toContain('stand-in')
  })
})

describe('a conflict that only the host shows', () => {
  const there = () => mockHost('web1').has(fileAt(conf), text('[app]\nport=1\n'))
  const one = () => line(conf).present('port=1', { matching: /^port=/, after: '[app]' })
  const other = () => line(conf).present('port=2', { matching: /^port=/, after: '[app]' })

  it('is refused in the plan, and nothing is touched', async () => {
    for (const [a, b] of [
      [one(), other()],
      [other(), one()],
    ] as const) {
      for (const check of [true, false]) {
        const host = there()
        const result = await run([file('/etc/motd').content('x'), a, b], host, { check })
        const [, , second] = result.tasks
        expect(second).toMatchObject({ outcome: 'failed', failure: { code: 'E_PLAY_CONFLICT', place: b.origin.place } })
        expect(second?.failure?.message).toContain(`:${a.origin.place?.line}) disagree on ${conf}: "port=`)
        expect(result.hosts).toEqual({ web1: 'failed' })
        expect(host.holds(fileAt(conf))).toEqual(text('[app]\nport=1\n'))
        expect(host.holds(fileAt('/etc/motd'))).toEqual({ type: 'absent' })
      }
    }
  })

  it('is one with a task that waits for a change, where that undoes what is always wished', async () => {
    const first = line(conf).present('port=3', { matching: /^port=/ })
    const result = await run(
      [
        first,
        line(conf)
          .present('port=4', { matching: /^port=/ })
          .when(changed(first)),
      ],
      there(),
    )
    expect(result.tasks.map(({ failure }) => failure?.code)).toEqual([undefined, 'E_PLAY_CONFLICT'])
  })

  it('is one before any connection where what waits writes a place that is owned whole', async () => {
    const release = file('/srv/release').content('2')
    const [first, second] = [file(conf).content('A=1\n'), line(conf).present('A=2').when(changed(release))]
    const says = `disagree on ${conf}: a part of it against 1 line 0644 root:root.`
    expect(await mistakes([release, first, second])).toMatchObject(naming(first, second, says))
    expect(await mistakes([release, second, first])).toEqual([])
  })

  it('is none where what is undone was for the time of a change only', async () => {
    const release = file('/srv/release').content('2')
    const page = line(conf)
      .present('port=9', { matching: /^port=/ })
      .when(changed(release))
    const host = there()
    const tasks = [release, page, command('migrate', sh`true`).creates('/srv/done'), one()]
    const result = await run(tasks, host)
    expect(result.hosts).toEqual({ web1: 'changed' })
    expect(host.holds(fileAt(conf))).toEqual(text('[app]\nport=1\n'))
    expect((await run(tasks, host)).changes).toEqual([])
  })

  it('is not guessed below a command that may change anything', async () => {
    const host = there().has(unit('nginx.service'), { enabled: 'enabled', active: true })
    const result = await run([command('install', sh`true`).always(), one(), other()], host)
    expect(result.tasks.map(({ outcome }) => outcome)).not.toContain('failed')
  })
})
