import { describe, expect, it } from 'vitest'
import { unitTest } from '../../../modules/systemd/unit-test.ts'
import { shells } from '../../connection/shells.ts'
import { inShell } from '../answers.ts'

const path = '/etc/systemd/system/nginx.service.d/limits.conf'

/** What systemd-analyze of Debian 12 prints and, where it differs, that of sid; without a refusal it ends with 0. */
const verify = (text: string, status = 0) => ({ 'systemd-analyze': `cat >&2 <<'END'\n${text}\nEND\nexit ${status}` })

describe.each(shells)('the test of a unit under $name', ({ name: shell, there }) => {
  const test = (text: string, status = 0, file = path, unit = 'nginx.service') =>
    inShell(shell, unitTest(unit, file).test, verify(text, status))

  it.skipIf(!there)('holds where systemd has nothing to say', () => {
    expect(test('')).toMatchObject({ status: 0, stderr: '' })
  })

  it
    .skipIf(!there)
    .each([
      `${path}:2: Failed to parse resource value, ignoring: many`,
      `${path}:2: Failed to parse LimitNOFILE=many, ignoring: Invalid argument`,
      `${path}:3: Unknown key 'Nonsense' in section [Service], ignoring.`,
      `${path}:1: Unknown section 'Sevice'. Ignoring.`,
    ])('fails for a value that systemd ignores with a line in its log, though verify ends with 0: %s', (line) => {
    expect(test(line)).toMatchObject({ status: 1, stderr: `${line}\n` })
  })

  it.skipIf(!there)('tells of a template once, though it is loaded as an instance too', () => {
    const file = '/etc/systemd/system/getty@.service.d/t.conf'
    const line = `${file}:2: Failed to parse resource value, ignoring: many`
    expect(test(`${line}\n${line}`, 0, file, 'getty@.service').stderr).toBe(`${line}\n`)
  })

  it.skipIf(!there)('fails for a unit that has a bad unit file setting, with the cause last', () => {
    const two =
      'nginx.service: Service has more than one ExecStart= setting, which is only allowed for Type=oneshot services. Refusing.'
    expect(test(`${two}\nUnit nginx.service has a bad unit file setting.`, 1).stderr).toBe(`${two}\n`)
    const file = '/etc/systemd/system/adt.service'
    const relative = `${file}:2: Neither a valid executable name nor an absolute path: ./x`
    const fatal = 'adt.service: Unit configuration has fatal error, unit will not be started.'
    expect(test(`${relative}\n${fatal}`, 1, file, 'adt.service').stderr).toBe(`${relative}\n`)
    const timer = '/etc/systemd/system/adt.timer'
    const times = `${timer}:2: Failed to parse calendar specification, ignoring: sometimes`
    const said = test(`${times}\nadt.timer: Timer unit lacks value setting. Refusing.`, 1, timer, 'adt.timer')
    expect(said.stderr.trim().split('\n').at(-1)).toBe(times)
  })

  it.skipIf(!there).each([
    ['another file', "/usr/lib/systemd/system/x.service:9: Unknown key 'A' in section [Unit], ignoring."],
    ['a program that is not there yet', 'nginx.service: Command /opt/x is not executable: No such file or directory'],
    ['a unit of which there is only the drop-in', 'Unit nginx.service not found.'],
    [
      'advice',
      `${path}:4: Unit uses KillMode=none. This is unsafe, as it disables systemd's process lifecycle management.`,
    ],
  ])('lets %s be', (_, line) => {
    expect(test(line, 1)).toMatchObject({ status: 0, stderr: '' })
  })
})
