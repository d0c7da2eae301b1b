import { describe, expect, it } from 'vitest'
import { literal, sectionProblem, unitFileText } from '../../../modules/systemd/unit-file.ts'

describe('the text of a unit file', () => {
  it('has sections and settings in the order in which they are said', () => {
    const text = unitFileText([
      { name: 'Unit', settings: { Description: 'Sends it', After: ['a.service', 'b.service'] } },
      {
        name: 'Service',
        settings: { ExecStart: ['', '/bin/sh -c "echo $x %n"'], LimitNOFILE: 65_536, PrivateTmp: true },
      },
    ])
    expect(text).toBe(`[Unit]
Description=Sends it
After=a.service
After=b.service

[Service]
ExecStart=
ExecStart=/bin/sh -c "echo $x %n"
LimitNOFILE=65536
PrivateTmp=yes
`)
  })

  it.each([
    [{ name: 'Service]', settings: {} }, /"Service\]" is not the name of a section/],
    [{ name: 'Service', settings: { 'Exec Start': 'x' } }, /"Exec Start" is not the name of a setting/],
    [
      { name: 'Service', settings: { ExecStart: 'a\nUser=root' } },
      /\[Service\] ExecStart: a value is one line; say a list/,
    ],
    [{ name: 'Service', settings: { ExecStart: ['a', 'b\\'] } }, /backslash at the end/],
    [{ name: 'Service', settings: { Nice: Number.NaN } }, /NaN is not a number/],
  ])('refuses %j', (section, problem) => {
    expect(sectionProblem(section)).toMatch(problem)
  })

  it('takes X- sections and a key that is emptied', () => {
    expect(sectionProblem({ name: 'X-Mine', settings: { 'X-Key': '' } })).toBeUndefined()
  })

  it('keeps a percent sign that is meant as it is', () => {
    expect(literal('/run/a%b')).toBe('/run/a%%b')
  })
})
