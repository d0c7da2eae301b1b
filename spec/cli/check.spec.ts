import { describe, expect, it } from 'vitest'
import { hello, filesOf, installed, project } from './project.ts'

const check = async (files: Readonly<Record<string, string>>) => {
  const { play } = project({ 'tsconfig.json': installed, ...files })
  return play(['check'])
}

/** A play of these tasks. */
const playOf = (tasks: string, before = '') => `import { file, service, shape, sysctl, systemdSocket } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
${before}
export default fleet
  .play('it')
  .hosts('web')
  .tasks(({ vars }) => [
    ${tasks}
  ])
`

describe('play check', () => {
  it('finds nothing wrong with what the README and the page on plays show, without a host', async () => {
    const { status, stdout, stderr } = await check({
      'plays/hello.ts': hello,
      ...filesOf('README.md'),
      ...filesOf('docs/plays.md'),
    })
    expect(stderr).toBe('')
    expect([status, stdout]).toEqual([0, '3 plays, 1 inventory: no mistakes\n'])
  })

  it('tells all mistakes at once, each with its line, in words of plays', async () => {
    const { status, stderr } = await check({
      'plays/unfinished.ts': playOf(`systemdSocket('php'),`),
      'plays/variable.ts': playOf('file(`/etc/${vars.fpp}`).content(vars.domain),'),
      'plays/group.ts': playOf(`file('/etc/a').content('x'),`).replace("hosts('web')", "hosts('wbe')"),
      'plays/clock.ts': playOf("file('/etc/a').content(String(Date.now())),"),
      'plays/dice.ts': playOf("file('/etc/a').content(String(Math.random())),"),
      'plays/environment.ts': playOf(
        "file('/etc/a').content(process.env['HOME'] ?? ''),",
        '/// <reference types="node" />',
      ),
      'plays/reads.ts': playOf(
        `file('/etc/a').content(readFileSync('x', 'utf8')),`,
        "import { readFileSync } from 'node:fs'",
      ),
      'plays/value.ts': playOf(`sysctl('a').set('net.core.rmem_max', '16Mib'),`),
    })
    expect(status).toBe(4)
    expect(stderr).toContain('plays/unfinished.ts:8:5')
    expect(stderr).toContain('This is no task: its chain is not finished.')
    expect(stderr).toContain('The hosts of this play need not have a variable fpp.')
    expect(stderr).toContain("hosts('wbe'): the shape has no such group.")
    expect(stderr).toContain('Did you mean web?')
    expect(stderr).toMatch(/plays\/value\.ts:8:/)
    expect(stderr.match(/plays\/value\.ts/g)).toHaveLength(1)
    for (const impure of ['Date', 'Math.random', 'process', 'node:fs'])
      expect(stderr).toContain(`A play is a value, and must not use ${impure}.`)
    for (const file of ['clock.ts:8:', 'dice.ts:8:', 'environment.ts:8:', 'reads.ts:3:'])
      expect(stderr).toContain(`plays/${file}`)
    expect(stderr).toContain('A local file is a value too: file(…).source(path) reads it before any connection.')
  })

  it('says that fleetplay is not installed, and nothing that follows from that', async () => {
    const { play } = project()
    const { status, stderr } = await play(['check'])
    expect(status).toBe(4)
    expect(stderr).toContain('1 mistake')
    expect(stderr).toContain('npm install fleetplay')
  })
})
