import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isProblem } from '../../dsl/variable.ts'
import { Failure } from '../../errors/failure.ts'
import { foundUnit, type UnitRecord, unitName, unitRecord } from '../../modules/unit.ts'

const { collector } = unitRecord('x.service').questions[0]!
const asked =
  'ngnix.service ssh.service sshd.service nginx.service mysql.service systemd-journald.service tone.service redis-server.service tdrift.socket late.service sealed.service'.split(
    ' ',
  )

function answers(file: string, names: readonly string[], status = 0): Map<string, UnitRecord | Failure> {
  const stdout = readFileSync(new URL(`../fixtures/systemd/${file}`, import.meta.url))
  const results = collector.answers({ status, stdout, stderr: '' }, names) as readonly (UnitRecord | Failure)[]
  return new Map(names.map((name, i) => [name, results[i]!]))
}

function record(file: string, name: string, names = asked): UnitRecord {
  const found = answers(file, names).get(name)
  if (!found || found instanceof Failure) throw new Error(`no record of ${name}`)
  return found
}

describe.each(['bookworm', 'sid'])('systemctl show on %s', (image) => {
  const file = `units-${image}.out`

  it.each([
    ['ngnix.service', null],
    ['ssh.service', { enabled: 'enabled', active: true }],
    ['sshd.service', { enabled: 'enabled', active: true }],
    ['mysql.service', { enabled: 'disabled', active: false }],
    ['systemd-journald.service', { enabled: 'static', active: true }],
    ['tdrift.socket', { enabled: 'enabled', active: true }],
    ['sealed.service', { enabled: 'masked', active: false }],
  ])('tells the state of %s', (name, state) => {
    expect(record(file, name).state).toEqual(state)
  })

  it('finds the unit that was meant, among those that the host has', () => {
    expect(record(file, 'ngnix.service').details.nearest).toBe('nginx.service')
    expect(record(file, 'ssh.service').details.nearest).toBeNull()
  })

  it('says to a handler whether there is a unit', () => {
    const found = (name: string) => foundUnit(name).read.parse([record(file, name)])
    expect(found('ngnix.service')).toEqual({ enabled: null, nearest: 'nginx.service' })
    expect(found('ssh.service')).toEqual({ enabled: 'enabled', nearest: null })
    expect(found('sealed.service')).toEqual({ enabled: 'masked', nearest: null })
  })

  it('knows an alias by the unit that it stands for', () => {
    expect(record(file, 'sshd.service').details.id).toBe('ssh.service')
  })

  it('tells the type of a service', () => {
    expect(record(file, 'tone.service').details).toMatchObject({ type: 'oneshot', remains: false })
    expect(record(file, 'tdrift.socket').details.type).toBeNull()
  })

  it('sees that a file was changed after systemd read it, and drop-ins that are in force', () => {
    expect(record(file, 'late.service').details.stale).toBe(true)
    expect(record(file, 'nginx.service').details).toMatchObject({
      stale: false,
      dropIns: ['/etc/systemd/system/nginx.service.d/a.conf', '/etc/systemd/system/nginx.service.d/b.conf'],
    })
  })

  it('tells every stream that a socket unit has, with blanks in a path', () => {
    const { streams, backlog } = record(file, 'tdrift.socket')
    expect(streams).toEqual(['/run/t drift.sock', '[::]:8099', '127.0.0.1:8098', '[::1]:8097', '@tdrift'])
    expect(backlog).toBe(65_536)
  })

  it('does not take the record of one unit for another', () => {
    expect(answers(file, ['cron.service']).get('cron.service')).toMatchObject({ code: 'E_PROBE_UNPARSABLE' })
  })
})

describe('a unit', () => {
  it('needs a reload where systemd 252 does not see its first drop-in', () => {
    const { details } = record('drop-in-unseen-bookworm.out', 'redis-server.service', ['redis-server.service'])
    expect(details).toMatchObject({ stale: true, dropIns: [] })
  })

  it('that lost its file while it runs is known', () => {
    const stdout = Buffer.from(
      'Id=a.service\nNames=a.service\nLoadState=not-found\nActiveState=active\nUnitFileState=\n# drop-ins\n# units\n',
    )
    const [found] = collector.answers({ status: 0, stdout, stderr: '' }, ['a.service'])
    expect(found).toMatchObject({ state: { enabled: 'none', active: true } })
  })

  it('that waits to be started again after a crash is not active', () => {
    const stdout = Buffer.from(
      'Id=a.service\nNames=a.service\nLoadState=loaded\nActiveState=activating\nUnitFileState=enabled\n# drop-ins\n',
    )
    const [found] = collector.answers({ status: 0, stdout, stderr: '' }, ['a.service'])
    expect(found).toMatchObject({ state: { enabled: 'enabled', active: false } })
  })

  it('cannot be read where there is no systemd', () => {
    const output = { status: 127, stdout: Buffer.alloc(0), stderr: 'sh: 1: systemctl: not found\n' }
    const [found] = collector.answers(output, ['a.service'])
    expect(found).toMatchObject({ code: 'E_UNREADABLE', hint: 'This module is for hosts with systemd.' })
  })

  it('is asked for in one systemctl with all others, each name one word', () => {
    const { text } = collector.ask(["it's; rm -rf /", 'b.service'])
    expect(text.match(/systemctl/g)).toHaveLength(1)
    expect(text).toContain(`-- 'it'\\''s; rm -rf /' b.service)`)
  })
})

describe('unitName()', () => {
  it.each([
    ['nginx', 'nginx.service'],
    ['php8.2-fpm', 'php8.2-fpm.service'],
    ['logrotate.timer', 'logrotate.timer'],
    ['getty@tty1', 'getty@tty1.service'],
    ['dev-disk-by\\x2dlabel', 'dev-disk-by\\x2dlabel.service'],
  ])('of %s is %s', (name, whole) => {
    expect(unitName(name)).toBe(whole)
  })

  it.each(['', 'a b', 'ngin*', '.service', 'a/b', "it's", `${'a'.repeat(250)}.service`])('refuses %j', (name) => {
    expect(isProblem(unitName(name))).toBe(true)
  })
})
