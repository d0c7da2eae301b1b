import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { FileState } from '../../../probe/file.ts'
import type { Failure } from '../../../errors/failure.ts'
import { aptPackage, redisConfig, restart, service } from '../../../index.ts'
import { includedLines, redisConf, withSettings, wordsOf } from '../../../modules/redis/config-file.ts'
import { directives, freshValue, type RedisSettings, settingsOf } from '../../../modules/redis/directives.ts'
import { localRedis } from '../../../modules/redis/endpoint.ts'
import { type LiveSettings, redisServer, redisSettings } from '../../../modules/redis/settings.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { answers, readScript } from '../answers.ts'
import { Real, realShells } from '../real.ts'

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/redis/${name}`, import.meta.url))
const problems = (task: { readonly problems: readonly Failure[] }) => task.problems.map(({ message }) => message)
const said = (settings: unknown) => problems(redisConfig(settings as RedisSettings))
const setting = (name: keyof typeof directives, value: unknown) => settingsOf(name, value)
const conf = (text: string): FileState => ({
  type: 'file',
  content: { text },
  mode: '0640',
  owner: 'redis',
  group: 'redis',
})
const path = '/etc/redis/redis.conf'
const file = redisConf(path)
const live = (...ids: readonly string[]) => redisSettings(ids, localRedis)
const text = (state: FileState) => (state.type === 'file' && 'text' in state.content ? state.content.text : '')
const all = Object.keys(directives).flatMap((name) =>
  name === 'client-output-buffer-limit' ? ['normal', 'replica', 'pubsub'].map((which) => `${name} ${which}`) : [name],
)

describe('directives', () => {
  it.each<[keyof typeof directives, unknown, string, string]>([
    ['maxmemory', '256mb', '268435456', '256mb'],
    ['maxmemory', '256m', '256000000', '256m'],
    ['maxmemory', '1g', '1000000000', '1g'],
    ['maxmemory', '1gb', '1073741824', '1gb'],
    ['maxmemory', 1024, '1024', '1024'],
    ['maxmemory-clients', '10%', '10%', '10%'],
    ['timeout', '5m', '300', '300'],
    ['timeout', 0, '0', '0'],
    ['slowlog-log-slower-than', '10ms', '10000', '10000'],
    ['slowlog-log-slower-than', -1, '-1', '-1'],
    ['latency-monitor-threshold', '1s', '1000', '1000'],
    ['appendonly', true, 'yes', 'yes'],
    [
      'save',
      [
        [900, 1],
        [300, 10],
      ],
      '900 1 300 10',
      '900 1 300 10',
    ],
    ['save', '', '', '""'],
    ['save', [], '', '""'],
    // The server tells ExK as xKE, AKEmn with its letters in other places.
    ['notify-keyspace-events', 'ExK', 'xKE', 'xKE'],
    ['notify-keyspace-events', 'KEA', 'AKE', 'AKE'],
    ['notify-keyspace-events', 'g$lshzxetdK', 'AK', 'AK'],
    ['notify-keyspace-events', 'Kmn', 'nKm', 'nKm'],
    ['notify-keyspace-events', '', '', '""'],
    ['bind', ['127.0.0.1', '-::1', '10.0.3.4'], '127.0.0.1 -::1 10.0.3.4', '127.0.0.1 -::1 10.0.3.4'],
    ['oom-score-adj-values', [0, 100, 700], '0 100 700', '0 100 700'],
  ])('%s takes %j: %s for the server, %s in the file', (name, value, told, words) => {
    expect(setting(name, value)).toEqual([{ id: name, name, value: told, words }])
  })

  it('has the classes of client-output-buffer-limit one by one, and calls a slave a replica', () => {
    const limits = { replica: { hard: '256mb', soft: '64mb', seconds: 60 } }
    expect(setting('client-output-buffer-limit', limits)).toEqual([
      {
        id: 'client-output-buffer-limit replica',
        name: 'client-output-buffer-limit',
        value: '268435456 67108864 60',
        words: 'replica 256mb 64mb 60',
      },
    ])
  })

  it.each<[unknown, string]>([
    // The server says OK and takes 500.
    [{ hz: 600 }, 'hz: 600 is not a whole number from 1 to 500'],
    [{ maxmemory: '256.5mb' }, 'maxmemory: "256.5mb" is not an amount such as 256mb, 1gb or a number of bytes'],
    [{ maxmemory: '10%' }, 'maxmemory: "10%" is not an amount such as 256mb, 1gb or a number of bytes'],
    [{ maxmemory: -1 }, 'maxmemory: -1 is not an amount such as 256mb, 1gb or a number of bytes'],
    [{ maxmemory: '16MiB' }, 'maxmemory: "16MiB" is not an amount such as 256mb, 1gb or a number of bytes'],
    [{ 'maxmemory-clients': '110%' }, 'maxmemory-clients: "110%" is more than all'],
    // The server would stand still for a minute before it refuses.
    [{ maxclients: 100_000_000 }, 'maxclients: 100000000 is not a whole number from 1 to 1000000'],
    [{ 'proto-max-bulk-len': '1kb' }, 'proto-max-bulk-len: "1kb" is not an amount from 1048576'],
    [{ timeout: '1500ms' }, 'timeout: "1500ms" is finer than the directive'],
    [{ timeout: 'soon' }, 'timeout: "soon" is not a duration such as 5ms, 90s or 1h'],
    [{ appendonly: 'on' }, 'appendonly: "on" is not true or false'],
    [
      { 'maxmemory-policy': 'lru' },
      'maxmemory-policy: "lru" is none of noeviction, allkeys-lru, allkeys-lfu, allkeys-random, volatile-lru, volatile-lfu, volatile-random, volatile-ttl',
    ],
    [{ save: '900 1' }, 'save: "900 1" is not a list of [seconds, changes], such as [[900, 1], [300, 10]]'],
    [{ save: [[0, 1]] }, 'save: [[0,1]] is not a list of [seconds, changes], such as [[900, 1], [300, 10]]'],
    [{ 'notify-keyspace-events': 'Ko' }, 'notify-keyspace-events: "Ko" is not made of the letters AKEg$lshzxetdmn'],
    [{ bind: ['a b'] }, 'bind: ["a b"] is not a list of addresses'],
    [{ appendfilename: '../x' }, 'appendfilename: "../x" is not the name of a file without its folder'],
    [
      { 'client-output-buffer-limit': {} },
      'client-output-buffer-limit: {} is not an object of classes: normal, replica, pubsub',
    ],
    [
      { 'client-output-buffer-limit': { slave: { hard: 0, soft: 0, seconds: 0 } } },
      'client-output-buffer-limit: "slave" is none of normal, replica, pubsub',
    ],
    [{}, 'no directive is said'],
    [{ port: 6380 }, 'port is how the server is reached, and is not moved by a running one'],
  ])('refuses %j before any connection', (settings, problem) => {
    expect(said(settings)).toEqual([`redisConfig: ${problem}`])
  })

  it('has the nearest name for one that it does not know', () => {
    expect(redisConfig({ 'maxmemory-polcy': 'noeviction' } as RedisSettings).problems).toMatchObject([
      {
        message: 'redisConfig: "maxmemory-polcy" is not a directive that is known here',
        hint: 'Did you mean maxmemory-policy?',
      },
    ])
  })

  it.each(['requirepass', 'masterauth', 'user', 'tls-key-file-pass', 'RequirePass'])(
    'refuses %s, which would be a secret in a play, and asks no server for one',
    (name) => {
      const task = redisConfig({ [name]: 'correct horse' } as RedisSettings)
      expect(task.problems).toMatchObject([
        { message: `redisConfig: ${name} is or leads to a secret, which cannot stand in a play` },
      ])
      expect(JSON.stringify(task.problems)).not.toContain('correct horse')
      expect(
        readScript([live(...all)])
          .input?.toString()
          .split('\r\n'),
      ).not.toContain(name)
    },
  )

  it('is typed', () => {
    expect(redisConfig).toHaveLength(1)
    // @ts-expect-error -- a policy that there is not
    redisConfig({ 'maxmemory-policy': 'lru' })
    // @ts-expect-error -- a unit that Redis does not have
    redisConfig({ maxmemory: '16MiB' })
    // @ts-expect-error -- a directive that there is not
    redisConfig({ maxmem: 1 })
    // @ts-expect-error -- not yes and no
    redisConfig({ appendonly: 'yes' })
  })
})

describe('what a server tells', () => {
  it.each(['7.0.15', '8.0.6'])('is understood of Redis %s, and is what a fresh one is taken to have', (version) => {
    const output = { stdout: fixture(`config-${version}.out`) }
    const [server, settings] = answers<unknown>([redisServer(localRedis), live(...all)], output)
    expect(server).toEqual({ version, configFile: path })
    expect(settings).toEqual(Object.fromEntries(all.map((id) => [id, freshValue(id)])))
  })

  it('is asked of all tasks with one client, which runs beside the other questions', () => {
    const places = [live('maxmemory'), live('hz', 'save'), redisServer(localRedis)]
    const questions = places.flatMap(({ read }) => read.questions)
    expect(new Set(questions.map(({ collector }) => collector.name)).size).toBe(1)
    expect(questions[0]!.collector.aside).toBe(true)
    const input = readScript(places).input!.toString()
    expect(input.match(/CONFIG/g)).toHaveLength(3)
    expect(input).toContain('INFO')
  })

  it('may be that it knows no such directive: an empty list, not an empty text', () => {
    expect(answers([live('maxmemory-clients')], { stdout: Buffer.from('*0\r\n+OK\r\n') })).toEqual([
      { 'maxmemory-clients': null },
    ])
  })

  it.each([
    ['NOAUTH Authentication required.', expect.stringMatching(/\.passwordFile\(path\)/) as string],
    [
      "NOPERM User default has no permissions to run the 'config|get' command",
      expect.stringMatching(/\.user\(name\)/) as string,
    ],
    ["ERR unknown command 'CONFIG'", undefined],
  ])('may be an error, which comes with status 0: %s', (error, hint) => {
    const [failure] = answers([live('hz')], { stdout: Buffer.from(`-${error}\r\n+OK\r\n`) })
    expect(failure).toMatchObject({
      code: 'E_UNREADABLE',
      message: `Redis at 127.0.0.1:6379 refused CONFIG GET hz: ${error}`,
      hint,
    })
  })

  it('is set by one CONFIG SET, which takes all or none; one class of the limits alone', () => {
    const ids = ['maxmemory', 'client-output-buffer-limit replica', 'client-output-buffer-limit pubsub', 'hz']
    const place = live(...ids)
    const from = place.fresh as Record<string, string>
    const to = { ...from, maxmemory: '1024', [ids[1]!]: '1 2 3', [ids[2]!]: '4 5 6' }
    const script = place.write!(to, from)
    expect(
      script
        .input!.toString()
        .replaceAll(/[*$]\d+\r\n/g, '')
        .trim()
        .split('\r\n'),
    ).toEqual(['CONFIG', 'SET', 'maxmemory', '1024', 'client-output-buffer-limit', 'replica 1 2 3 pubsub 4 5 6'])
    expect(script.touched).toEqual([])
  })
})

describe('redis.conf', () => {
  const edit = (before: string, settings: RedisSettings) => withSettings(before, redisConfig(settings).settings)

  it('is edited in its lines; comments, order and ends stay', () => {
    const before = '# maxmemory <bytes>\r\nTimeout 0\r\n\r\nhz 10 \r\n# end'
    expect(edit(before, { timeout: 300, hz: 10, maxmemory: '256mb' })).toBe(
      '# maxmemory <bytes>\r\ntimeout 300\r\n\r\nhz 10 \r\n# end\r\nmaxmemory 256mb\r\n',
    )
  })

  it.each<[string, RedisSettings]>([
    ['maxmemory 268435456\n', { maxmemory: '256mb' }],
    ['maxmemory 256MB\n', { maxmemory: '256mb' }],
    ['loglevel NOTICE\n', { loglevel: 'notice' }],
    ['notify-keyspace-events "ExK"\n', { 'notify-keyspace-events': 'KEx' }],
    ["notify-keyspace-events ''\n", { 'notify-keyspace-events': '' }],
    [
      'client-output-buffer-limit slave 256mb 64mb 60\n',
      { 'client-output-buffer-limit': { replica: { hard: '256mb', soft: '64mb', seconds: 60 } } },
    ],
    [
      'save 900 1\nsave 300 10\n',
      {
        save: [
          [900, 1],
          [300, 10],
        ],
      },
    ],
    ['save 1 1\nsave ""\nsave 300 10\n', { save: [[300, 10]] }],
    ['hash-max-ziplist-entries 512\n', { 'hash-max-listpack-entries': 512 }],
    ['appendfilename "appendonly.aof"\n', { appendfilename: 'appendonly.aof' }],
  ])('stays as it is where it says the same: %j', (before, settings) => {
    expect(edit(before, settings)).toBe(before)
  })

  it('has the last of several lines count, and that one edited', () => {
    expect(edit('hz 10\nhz 20\ntimeout 0\n', { hz: 30 })).toBe('hz 10\nhz 30\ntimeout 0\n')
    expect(edit('hz 10\nhz 20\n', { hz: 20 })).toBe('hz 10\nhz 20\n')
  })

  it('has one line of save, since all of them add up', () => {
    expect(edit('save 900 1\nhz 10\nsave 300 10\n', { save: [[60, 5]] })).toBe('hz 10\nsave 60 5\n')
    expect(edit('save 900 1\n', { save: '' })).toBe('save ""\n')
  })

  it('keeps the other classes of a line that has several', () => {
    const limit = { 'client-output-buffer-limit': { pubsub: { hard: 0, soft: 0, seconds: 0 } } } as const
    expect(edit('client-output-buffer-limit normal 0 0 0 pubsub 32mb 8mb 60\n', limit)).toBe(
      'client-output-buffer-limit normal 0 0 0 pubsub 0 0 0\n',
    )
  })

  it.each([
    ['user default on "a b" \'c\\\'d\' "\\x41\\n"', ['user', 'default', 'on', 'a b', "c'd", 'A\n']],
    ['  # comment', undefined],
    ['hz "10', undefined],
    ['hz "10"x', undefined],
  ])('is split as the server does: %s', (line, words) => expect(wordsOf(line)).toEqual(words))

  it('is shown without what is secret in it', () => {
    const shown = file.text!(conf('hz 10\nrequirepass  correct horse\nuser default on >correct\n  MasterAuth horse\n'))
    expect(shown).toBe('hz 10\nrequirepass (secret)\nuser (secret)\n  MasterAuth (secret)\n')
  })
})

describe('redisConfig()', () => {
  const memory = redisConfig({ maxmemory: '256mb', 'maxmemory-policy': 'allkeys-lru' })
  const place = live('maxmemory', 'maxmemory-policy')

  it('sets the server, then the file, and is at rest', async () => {
    const host = mockHost('cache1')
    const { changes } = await run(memory, host)
    expect(changes.map(({ label, before, after }) => `${label}: ${before} → ${after}`)).toEqual([
      'redis 127.0.0.1:6379: maxmemory 0, maxmemory-policy noeviction → maxmemory 268435456, maxmemory-policy allkeys-lru',
      '/etc/redis/redis.conf: 12 lines 0640 redis:redis → 14 lines 0640 redis:redis',
    ])
    expect(text(host.holds(file))).toMatch(/\nmaxmemory 256mb\nmaxmemory-policy allkeys-lru\n$/)
    expect((await run(memory, host)).hosts).toEqual({ cache1: 'ok' })
  })

  it('never has the server write its file: CONFIG REWRITE would put words of its own there, and an ACL user at the end', () => {
    const set = { maxmemory: '1', 'maxmemory-policy': 'noeviction' }
    const scripts = [
      readScript(memory.wishes.flatMap(({ resource }) => (resource.key.startsWith('redis:') ? [resource] : []))),
      place.write!(set, { ...set, maxmemory: '0' }),
      file.write!(conf('hz 10\n'), conf('hz 20\n')),
    ]
    const texts = scripts.map(({ text, input }) => `${text}\n${String(input)}`)
    expect(texts.join('\n')).toContain('CONFIG')
    expect(texts.join('\n')).not.toContain('REWRITE')
  })

  it('leaves no value in the file that the server refused', async () => {
    const host = mockHost('cache1').fails(place, { stderr: 'ERR CONFIG SET failed - argument must be a memory value' })
    const before = host.holds(file)
    const { tasks } = await run(memory, host)
    expect(tasks[0]!.failure!.message).toBe('ERR CONFIG SET failed - argument must be a memory value')
    expect(host.holds(file)).toEqual(before)
  })

  it('sets only the server where the file says it already, and only the file where the server has it', async () => {
    const said = conf('maxmemory 268435456\nmaxmemory-policy allkeys-lru\n')
    const set: LiveSettings = { maxmemory: '268435456', 'maxmemory-policy': 'allkeys-lru' }
    expect((await run(memory, mockHost('a').has(file, said))).changes.map(({ key }) => key)).toEqual([place.key])
    expect((await run(memory, mockHost('a').has(place, set))).changes.map(({ key }) => key)).toEqual([file.key])
  })

  it('waits for a server that an earlier task starts, and is refused where nobody does', async () => {
    const host = mockHost('cache1').cannotRead(place, 'Redis does not answer.')
    const started = await run([service('redis-server').started(), memory], host, { check: true })
    expect(started.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'changed'])
    expect(started.tasks[1]!.changes[0]).toMatchObject({
      after: 'maxmemory 268435456, maxmemory-policy allkeys-lru',
      dependsOn: ['service redis-server.service'],
    })
    expect((await run(memory, host, { check: true })).tasks[0]!.failure).toMatchObject({ code: 'E_UNREADABLE' })
  })

  it('says why a server that is down could not be read, and how to plan its file all the same', () => {
    const stderr = 'Could not connect to Redis at 127.0.0.1:6379: Connection refused\n'
    expect(answers([place], { status: 2, stderr })).toMatchObject([
      {
        code: 'E_UNREADABLE',
        message: 'Redis does not answer at 127.0.0.1:6379.',
        hint: expect.stringContaining('.evenStopped()'),
        seen: { output: stderr.trim() },
      },
    ])
    const may = redisSettings(['hz'], localRedis, { evenStopped: true })
    expect(answers([may], { status: 2, stderr })).toEqual([{ type: 'stopped' }])
  })

  it('writes the file alone of a server that is down, where that is said, and notes it', async () => {
    const host = mockHost('cache1').has(redisServer(localRedis), { type: 'stopped' }).has(place, { type: 'stopped' })
    const { tasks, changes } = await run(memory.evenStopped(), host)
    expect(changes.map(({ key }) => key)).toEqual([file.key])
    expect(tasks[0]!.notes).toEqual([
      'Redis does not run at 127.0.0.1:6379: only /etc/redis/redis.conf is written, and nobody tried the values.',
    ])
    expect((await run(memory.evenStopped(), host)).hosts).toEqual({ cache1: 'ok' })
  })

  it('writes databases, which is immutable, to the file, and says that a restart is needed for as long as it is', async () => {
    const host = mockHost('cache1')
    const task = redisConfig({ databases: 32 })
    const { tasks, changes } = await run(task, host)
    expect(changes.map(({ key }) => key)).toEqual([file.key])
    const note =
      "databases 32: read only when the server starts; the running one keeps what it has until then (notify(restart('redis-server')))"
    expect(tasks[0]!.notes).toEqual([note])
    expect((await run(task, host)).tasks[0]!).toMatchObject({ outcome: 'ok', notes: [note] })
    const restarted = mockHost('cache1').has(live('databases'), { databases: '32' })
    expect((await run(task, restarted)).tasks[0]!.notes).toEqual([])
    const notified = await run(redisConfig({ databases: 8 }).notify(restart('redis-server')), host, { check: true })
    expect(notified.tasks[0]!.notes).toEqual(['databases 8: read only when the server starts'])
  })

  it.each<[string, (host: ReturnType<typeof mockHost>) => void, string]>([
    [
      'a server that knows no such directive',
      (host) => host.has(place, { maxmemory: '0', 'maxmemory-policy': null }),
      'Redis 7.0.15 has no directive maxmemory-policy.',
    ],
    [
      'a server of another file',
      (host) => host.has(redisServer(localRedis), { version: '7.0.15', configFile: '/etc/redis/other.conf' }),
      'Redis at 127.0.0.1:6379 was started with /etc/redis/other.conf, not with /etc/redis/redis.conf.',
    ],
    [
      'a server without a file',
      (host) => host.has(redisServer(localRedis), { version: '7.0.15', configFile: '' }),
      'Redis at 127.0.0.1:6379 was started without a file.',
    ],
    ['no file', (host) => host.has(file, { type: 'absent' }), '/etc/redis/redis.conf does not exist.'],
    [
      'an included file that counts more',
      (host) =>
        host
          .has(file, conf('maxmemory 1gb\ninclude /etc/redis/post.d/*.conf\n'))
          .has(includedLines(path, ['maxmemory', 'maxmemory-policy']), [
            { include: 1, file: '/etc/redis/post.d/a.conf', line: 3, text: 'MaxMemory 2gb' },
          ]),
      'At start /etc/redis/post.d/a.conf:3 says MaxMemory 2gb, after /etc/redis/redis.conf has set maxmemory to 268435456.',
    ],
  ])('refuses %s in the plan', async (_, prepare, message) => {
    const host = mockHost('cache1')
    prepare(host)
    expect((await run(memory, host, { check: true })).tasks[0]!.failure).toMatchObject({ code: 'E_REFUSED', message })
  })

  it('has nothing against included files that count less, or say the same', async () => {
    const includes = includedLines(path, ['maxmemory', 'maxmemory-policy'])
    const before = { include: 1, file: '/etc/redis/pre.d/a.conf', line: 1, text: 'maxmemory 2gb' }
    const first = mockHost('a').has(file, conf('include /etc/redis/pre.d/*.conf\nhz 10\n')).has(includes, [before])
    expect((await run(memory, first)).hosts).toEqual({ a: 'changed' })
    const same = { ...before, text: 'maxmemory 268435456' }
    const later = mockHost('a')
      .has(file, conf('maxmemory 1gb\ninclude /etc/redis/post.d/*.conf\n'))
      .has(includes, [same])
    expect((await run(memory, later)).hosts).toEqual({ a: 'changed' })
  })

  it('refuses a bind that shuts us out', async () => {
    const failure = async (task: ReturnType<typeof redisConfig>) =>
      (await run(task, mockHost('a'), { check: true })).tasks[0]!.failure?.message
    expect(await failure(redisConfig({ bind: ['10.0.3.4'] }))).toBe(
      'bind 10.0.3.4 leaves out 127.0.0.1, where Redis is reached.',
    )
    expect(await failure(redisConfig({ bind: ['0.0.0.0'] }))).toBeUndefined()
    expect(await failure(redisConfig({ bind: ['-127.0.0.1', '10.0.3.4'] }))).toBeUndefined()
  })

  it('notes lines that count nothing', async () => {
    const host = mockHost('a').has(file, conf('maxmemory 1mb\nmaxmemory 2mb\n'))
    expect((await run(memory, host, { check: true })).tasks[0]!.notes).toEqual([
      'maxmemory is also on line 1 of /etc/redis/redis.conf; line 2, the last, counts',
    ])
  })

  it('finds two tasks that disagree, and lets two be that do not', async () => {
    const other = redisConfig({ maxmemory: '1gb', hz: 20 })
    await expect(run([memory, other], mockHost('a'))).rejects.toThrow(
      /disagree on maxmemory: 1073741824 against 268435456/,
    )
    // Another server is another place.
    expect(
      (
        await run(
          [memory, other.port(6380).file('/etc/redis/b.conf')],
          mockHost('a')
            .has(redisConf('/etc/redis/b.conf'), conf(''))
            .has(redisServer({ ...localRedis, port: 6380 }), { version: '7.0.15', configFile: '/etc/redis/b.conf' }),
        )
      ).hosts,
    ).toEqual({ a: 'changed' })
    const host = mockHost('a')
    expect((await run([memory, redisConfig({ hz: 20 })], host)).hosts).toEqual({ a: 'changed' })
    expect(text(host.holds(file))).toMatch(/maxmemory 256mb\nmaxmemory-policy allkeys-lru\nhz 20\n$/)
  })

  it('is planned on a host that has no Redis yet', async () => {
    const host = mockHost('a').cannotRead(place, 'nobody').cannotRead(redisServer(localRedis), 'nobody')
    const result = await run([aptPackage('redis-server'), memory], host, { check: true })
    expect(result.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'changed'])
  })

  it('takes ways to the server, and refuses those that are none', () => {
    expect(
      redisConfig({ hz: 10 }).socket('/run/redis/r.sock').user('fleet').passwordFile('/root/.redis').endpoint,
    ).toEqual({
      at: '/run/redis/r.sock',
      port: 6379,
      database: 0,
      user: 'fleet',
      passwordFile: '/root/.redis',
    })
    expect(problems(redisConfig({ hz: 10 }).socket('r.sock'))).toContain(
      'redisConfig: the path "r.sock" must be absolute',
    )
    expect(problems(redisConfig({ hz: 10 }).port(0))).toEqual(['redisConfig 127.0.0.1:0: 0 is not a port'])
    expect(problems(redisConfig({ hz: 10 }).file('x'))).toEqual([
      'redisConfig 127.0.0.1:6379: the path "x" must be absolute',
    ])
  })
})

describe.each(realShells)('the included files, in $title', ({ name, there }) => {
  it.runIf(there)('are followed with their patterns, and tell no other line', async () => {
    const real = new Real(name)
    const host = real.host()
    try {
      const { writeFileSync, mkdirSync } = await import('node:fs')
      mkdirSync(real.path('pre.d'))
      writeFileSync(
        real.path('pre.d/a.conf'),
        'requirepass correct horse\nHZ 20\n# hz 30\ninclude "' + real.path('deep.conf') + '"\n',
      )
      writeFileSync(real.path('deep.conf'), 'hz 40\n')
      writeFileSync(
        real.path('main.conf'),
        `hz 1\ninclude ${real.path('none*.conf')}\ninclude ${real.path('pre.d/*.conf')}\n`,
      )
      const [result] = await host.read([includedLines(real.path('main.conf'), ['hz'])], undefined)
      expect(result).toEqual({
        value: [
          { include: 2, file: real.path('pre.d/a.conf'), line: 2, text: 'HZ 20' },
          { include: 2, file: real.path('deep.conf'), line: 1, text: 'hz 40' },
        ],
      })
      const [none] = await host.read([includedLines(real.path('no.conf'), ['hz'])], undefined)
      expect(none).toEqual({ value: [] })
    } finally {
      await host.close()
      await real.remove()
    }
  })
})
