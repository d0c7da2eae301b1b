import { describe, expect, it } from 'vitest'
import { commandLine, environmentValue } from '../../../modules/systemd/command-line.ts'

describe('a command in a unit', () => {
  // What systemd 252 and 262 handed on was, word for word, what stands on the left.
  it('hands each word of a list on as it is', () => {
    const words = [
      'a b',
      '$HOME',
      '${x}',
      '%n',
      ';',
      '',
      'q"q',
      "it's",
      'b\\s',
      'n\nl',
      't\tt',
      'plain,x=1',
      '#c',
      'ünï',
      '\x07',
      '$',
    ]
    expect(commandLine(['/root/od d%x/a.sh', ...words])).toBe(
      [
        '"/root/od d%%x/a.sh" "a b" $$HOME "$${x}" %%n ";" "" "q\\"q"',
        '"it\'s" "b\\\\s" "n\\nl" "t\\tt" plain,x=1 "#c" "ünï" "\\x07" $$',
      ].join(' '),
    )
  })

  it('leaves a text to systemd', () => {
    expect(commandLine('/bin/worker --id=%i "$ARGS"')).toBe('/bin/worker --id=%i "$ARGS"')
    expect(commandLine('-/bin/worker')).toBe('-/bin/worker')
    expect(commandLine('+"/opt/a b/worker" x')).toBe('+"/opt/a b/worker" x')
  })

  it.each([
    [[''], /"" is not a program/],
    [['bin/worker'], /"bin\/worker" is not a program: an absolute path, or a name without a slash/],
    [['-x'], /not a program/],
    [['/opt/$x/worker'], /no \$ in the path/],
    [['/bin/a', 'b\0c'], /NUL byte/],
    ['', /the command is empty/],
    ['a\nb', /one line/],
    ['./worker', /"\.\/worker" is not a program/],
  ])('refuses %j', (command, problem) => {
    expect(commandLine(command)).toEqual({ problem: expect.stringMatching(problem) as string })
  })
})

describe('a variable in a unit', () => {
  it('has its value as it is: a dollar means nothing there', () => {
    expect(environmentValue('WEIRD', 'a $x % "q" it\'s \\ tab\there nl\nend')).toBe(
      String.raw`"WEIRD=a $x %% \"q\" it's \\ tab\there nl\nend"`,
    )
    expect(environmentValue('A', '1')).toBe('A=1')
  })

  it.each([
    ['1A', 'x', /not the name of a variable/],
    ['A=B', 'x', /not the name of a variable/],
    ['A', '\x07', /control character/],
  ])('refuses %j', (name, value, problem) => {
    expect(environmentValue(name, value)).toEqual({ problem: expect.stringMatching(problem) as string })
  })
})
