import { describe, expect, it } from 'vitest'
import { commandLine, environmentValue, programPath } from '../../../modules/systemd/command-line.ts'

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

  it('leaves to the program what is quoted, or in a list', () => {
    expect(commandLine('/bin/sh -c "a | b; c > d" \'x && y\' \\; a;b')).toBe(
      '/bin/sh -c "a | b; c > d" \'x && y\' \\; a;b',
    )
    expect(commandLine(['/bin/find', '-exec', 'true', ';'])).toBe('/bin/find -exec true ";"')
  })

  it.each<[string | readonly string[], string | undefined]>([
    [['/usr/bin/php', 'a'], '/usr/bin/php'],
    ['/usr/bin/php a', '/usr/bin/php'],
    ['+"/opt/a b/worker" x', '/opt/a b/worker'],
    [['/opt/d%x/a'], '/opt/d%x/a'],
    ['/opt/%i/a', undefined],
    ['-/bin/worker', undefined],
    ['php a', undefined],
    [['php'], undefined],
  ])('knows the program of %j', (command, path) => {
    expect(programPath(command)).toBe(path)
  })

  it.each([
    [[''], /"" is not a program/],
    [['bin/worker'], /"bin\/worker" is not a program: an absolute path, or a name without a slash/],
    [['-x'], /not a program/],
    [['/opt/$x/worker'], /no \$ in the path/],
    [['/bin/a', 'b\0c'], /NUL byte/],
    ['', /the command is empty/],
    ['a\nb', /one line/],
    ['/bin/a && /bin/b', /there is no shell, so "&&" means nothing/],
    ['/bin/a "x y" > /var/log/a', /there is no shell, so ">"/],
    ['/bin/a 2>&1', /there is no shell, so "2>&1"/],
    ['/bin/a ; /bin/b', /there is no shell, so ";"/],
    ['worker.sh | tee x', /there is no shell, so "\|"/],
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
