/** Random plays: tasks of many modules that overlap on purpose, with every keyword that bears on what is done. */

import fc from 'fast-check'
import type { Handler } from '../../dsl/handler.ts'
import { typicalFacts } from '../../dsl/play.ts'
import { shape } from '../../dsl/shape.ts'
import { changed, type Task } from '../../dsl/task.ts'
import { compile } from '../../engine/compile.ts'
import * as words from '../../index.ts'
import { examples } from '../laws/shown.ts'
import { only } from './only.ts'

/** A task before its play is there to refer to. */
interface Sentence {
  readonly says: string
  readonly task: () => Task
}

/** Keywords of a task; which earlier task it waits for is counted back. */
interface Manner {
  readonly waits: number | undefined
  readonly applies: boolean | undefined
  readonly notifies: readonly Handler[]
  readonly tag: string | undefined
}

const { oneof, constantFrom, tuple, option, record } = fc
const { restart, reload, handler, sh } = words

const text = constantFrom('', 'A=1\n', 'A=1\nB=2\n', 'B=2\nA=3', '# head\r\nA=2\r\n', "it's $x\n", '\ufeffü\n')
const aLine = constantFrom('A=1', 'A=2', 'B=2', '# head', "it's $x")
const pattern = constantFrom(undefined, /^#?\s*[A-Z]=/, /^A=/)
const mode = constantFrom(undefined, '0600', '0755')
const name = constantFrom('one', 'two')

/** Tasks for a few paths below a folder, which is there; on a real file system they write nowhere else. */
export function inFolder(root: string): fc.Arbitrary<Sentence> {
  const path = constantFrom('a', 'b', 'd', 'd/a', 'd/e', 'd/e/a').map((rest) => `${root}/${rest}`)
  const aFile = tuple(path, text, mode).map(([at, content, bits]) =>
    said(`file ${at} ${JSON.stringify(content)} ${bits}`, () => {
      const whole = words.file(at).content(content)
      return bits ? whole.mode(bits as '0600') : whole
    }),
  )
  const aMode = path.map((at) => said(`file ${at} mode`, () => words.file(at).mode('0640')))
  const noFile = path.map((at) => said(`file ${at} absent`, () => words.file(at).absent()))
  const aDirectory = tuple(path, mode).map(([at, bits]) =>
    said(`directory ${at} ${bits}`, () => (bits ? words.directory(at).mode(bits as '0600') : words.directory(at))),
  )
  const noDirectory = tuple(path, fc.boolean()).map(([at, recursive]) =>
    said(`directory ${at} absent ${recursive}`, () => words.directory(at).absent({ recursive })),
  )
  // Nothing may be written through a link to what is outside; and what is below a link has two names, of which we know one.
  const leaf = constantFrom('a', 'b', 'd/a', 'd/e/a').map((rest) => `${root}/${rest}`)
  const aLink = tuple(leaf, constantFrom('elsewhere', 'otherwhere')).map(([at, target]) =>
    said(`link ${at} to ${target}`, () => words.link(at).to(`${root}/${target}`)),
  )
  const noLink = path.map((at) => said(`link ${at} absent`, () => words.link(at).absent()))
  const present = tuple(path, aLine, pattern, option(constantFrom('A=1', /B/), { nil: undefined }), fc.boolean()).map(
    ([at, what, matching, after, create]) => {
      const fits = matching && matching.test(what) ? { matching } : {}
      return said(`line ${at} ${what} ${matching} after ${after} ${create}`, () =>
        words.line(at).present(what, { ...fits, ...(after && { after }), create }),
      )
    },
  )
  const noLine = tuple(path, oneof(aLine, constantFrom(/^A=/, /x$/))).map(([at, what]) =>
    said(`line ${at} no ${what}`, () => words.line(at).absent(what)),
  )
  const aBlock = tuple(path, name, text, fc.boolean()).map(([at, its, content, create]) =>
    said(`block ${at} ${its} ${JSON.stringify(content)} ${create}`, () =>
      words.block(at, its).content(content.replace('\ufeff', ''), { create }),
    ),
  )
  const noBlock = tuple(path, name).map(([at, its]) =>
    said(`block ${at} ${its} absent`, () => words.block(at, its).absent()),
  )
  const made = `${root}/made`
  const done = fc.constant(said(`command creates ${made}`, () => words.command('make', sh`: >${made}`).creates(made)))
  return oneof(
    { weight: 3, arbitrary: aFile },
    { weight: 2, arbitrary: present },
    { weight: 2, arbitrary: aBlock },
    { weight: 2, arbitrary: aDirectory },
    ...[aMode, noFile, noDirectory, aLink, noLink, noLine, noBlock, done].map((arbitrary) => ({
      weight: 1,
      arbitrary,
    })),
  )
}

const unitName = constantFrom('nginx', 'redis-server', 'cron.service')
const userName = constantFrom('ann', 'bob')
const kernelKey = constantFrom('net.core.rmem_max', 'net.core.somaxconn', 'vm.swappiness')

/** Tasks for what is one of its kind on a host: they overlap by their few names. */
const ofTheHost: fc.Arbitrary<Sentence> = oneof(
  tuple(unitName, constantFrom('enabled', 'disabled', 'started', 'stopped', 'masked')).map(([unit, does]) =>
    said(`service ${unit} ${does}`, () => words.service(unit)[does as 'enabled']()),
  ),
  tuple(name, kernelKey, constantFrom(1, 60, 4096)).map(([its, key, value]) =>
    said(`sysctl ${its} ${key} ${value}`, () => words.sysctl(`50-${its}`).set(key, value)),
  ),
  name.map((its) => said(`sysctl ${its} absent`, () => words.sysctl(`50-${its}`).absent())),
  tuple(userName, option(constantFrom('/bin/bash', '/bin/sh')), fc.subarray(['one', 'two', 'games'])).map(
    ([its, shell, groups]) =>
      said(`user ${its} ${shell} ${groups.join()}`, () => {
        const one = words.user(its).groups(...groups)
        return shell ? one.shell(shell) : one
      }),
  ),
  userName.map((its) => said(`user ${its} absent`, () => words.user(its).absent())),
  tuple(name, option(constantFrom(4400, 4401))).map(([its, gid]) =>
    said(`group ${its} ${gid}`, () => (gid === null ? words.group(its) : words.group(its).gid(gid))),
  ),
  tuple(name, constantFrom('@daily', '0 4 * * *'), fc.boolean()).map(([its, schedule, isTable]) =>
    said(`cron ${its} ${schedule} ${isTable}`, () => {
      const one = words.cron(its).as('www-data')
      return (isTable ? one.inCrontab() : one).schedule(schedule).runs('true')
    }),
  ),
  name.map((its) => said(`cron ${its} absent`, () => words.cron(its).absent())),
  tuple(constantFrom('nginx', 'redis-server', 'cron'), constantFrom('installed', 'absent', 'latest')).map(
    ([its, how]) =>
      said(`aptPackage ${its} ${how}`, () => {
        const one = words.aptPackage(its)
        return how === 'absent' ? one.absent() : how === 'latest' ? one.latest() : one
      }),
  ),
  tuple(name, constantFrom('a.example', 'b.example')).map(([its, server]) =>
    said(`nginxSite ${its} ${server}`, () => words.nginxSite(its).serverName(server).root('/srv/www')),
  ),
  name.map((its) => said(`nginxSite ${its} absent`, () => words.nginxSite(its).absent())),
  tuple(constantFrom('hz', 'timeout', 'databases'), constantFrom(20, 30)).map(([directive, value]) =>
    said(`redisConfig ${directive} ${value}`, () => words.redisConfig({ [directive]: value })),
  ),
  tuple(unitName, name, constantFrom(1, 2)).map(([unit, its, nice]) =>
    said(`systemdDropIn ${unit} ${its} ${nice}`, () =>
      words.systemdDropIn(unit, its).section('Service', { Nice: nice }),
    ),
  ),
  tuple(name, constantFrom('daily', 'weekly')).map(([its, calendar]) =>
    said(`systemdTimer ${its} ${calendar}`, () => words.systemdTimer(its).onCalendar(calendar)),
  ),
  tuple(name, constantFrom('/bin/true', '/bin/false')).map(([its, program]) =>
    said(`systemdService ${its} ${program}`, () => words.systemdService(its).runs(program).oneshot()),
  ),
  constantFrom('128M', '256M').map((limit) =>
    said(`phpIni ${limit}`, () => words.phpIni('8.4', 'app').set({ memory_limit: limit })),
  ),
)

/** Whatever modules show of themselves, for folders of their own. */
const shown: fc.Arbitrary<Sentence> = constantFrom(...examples).map((example) =>
  said(example.name, () => example.task('/srv/example')),
)

/** Below these nothing is sure. */
const anything: fc.Arbitrary<Sentence> = constantFrom(
  said('command always', () => words.command('refresh', sh`true`).always()),
  said('command creates', () => words.command('unpack', sh`true`).creates('/srv/unpacked')),
)

export const onHosts: fc.Arbitrary<Sentence> = oneof(
  { weight: 4, arbitrary: inFolder('/srv/truth') },
  { weight: 6, arbitrary: ofTheHost },
  { weight: 3, arbitrary: shown },
  { weight: 1, arbitrary: anything },
)

const handlers = [restart('nginx'), reload('nginx'), handler('flush', sh`true`), handler('warm up', sh`:`)]

const manner: fc.Arbitrary<Manner> = record({
  waits: seldom(fc.nat(2)),
  applies: seldom(fc.boolean()),
  notifies: fc.subarray(handlers, { maxLength: 2 }),
  tag: option(constantFrom('one', 'two'), { nil: undefined }),
})

function seldom<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight: 2, arbitrary })
}

/** Tasks in an order; those that could never stand beside an earlier one are left out. */
export interface RandomPlay {
  readonly tasks: readonly Task[]
}

/** @param reacts whether tasks may notify handlers */
export function plays(sentences: fc.Arbitrary<Sentence>, { reacts = true } = {}): fc.Arbitrary<RandomPlay> {
  return fc.array(tuple(sentences, manner), { minLength: 1, maxLength: 7 }).map((all) => {
    const tasks: Task[] = []
    const says: string[] = []
    for (const [sentence, { waits, applies, notifies, tag }] of all) {
      const awaited = waits === undefined ? undefined : tasks.at(-1 - waits)
      let task = sentence.task()
      if (awaited) task = task.when(changed(awaited))
      if (applies !== undefined) task = task.when(({ systemd }) => systemd === applies)
      if (reacts && notifies.length > 0) task = task.notify(...notifies)
      if (tag) task = task.tags(tag)
      if (mistakesOf([...tasks, task]) > 0) continue
      tasks.push(task)
      const how = [awaited && `when changed ${tasks.indexOf(awaited)}`, applies !== undefined && `when ${applies}`]
      const due = reacts && notifies.length > 0 && `notify ${notifies.map((one) => one.name).join(', ')}`
      says.push([`${tasks.length - 1}: ${sentence.says}`, ...how, due].filter(Boolean).join(' | '))
    }
    return { tasks, [fc.toStringMethod]: () => `\n  ${says.join('\n  ')}\n` }
  })
}

const anyHost = shape({ groups: {} }).play('truth').hosts('all')

function mistakesOf(tasks: readonly Task[]): number {
  return compile(anyHost.tasks(tasks), only, [only], typicalFacts, { tags: [], skipTags: [] }).problems.length
}

function said(says: string, task: () => Task): Sentence {
  return { says, task }
}
