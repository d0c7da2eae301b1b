import { rmSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { file } from '../../modules/file.ts'
import { sudoersTest } from '../../modules/sudoers-test.ts'
import { Real, realShells } from './real.ts'

/** Says what visudo 1.9.17 says of a folder that /etc/sudoers includes. */
const visudo = (folder: string) => `cd "${folder}" || exit
[ "$*" = -c ] || exit 2
for f in *; do
  case $f in *.* | *~ | '*') continue ;; esac
  if [ "$(stat -c %a "$f")" != 440 ]; then echo "$PWD/$f: bad permissions, should be mode 0440" >&2; bad=1; fi
  if grep -q bad "$f"; then
    printf '%s\\n' "$PWD/$f:1:10: syntax error" "$(cat "$f")" '         ^~~~' >&2
    exit 1
  fi
done
[ -z "$bad" ] || exit 1
echo '/etc/sudoers: parsed OK'
for f in *; do case $f in *.* | *~ | '*') continue ;; esac; echo "$PWD/$f: parsed OK"; done`

const busybox = ['grep', 'sed', 'cat', 'stat']

describe.each(realShells)('sudoersTest() under $name', ({ name }) => {
  const real = new Real(name)
  const write = async (at: string, rules: string, mode: `0${number}` = '0440') =>
    await real.run([
      file(real.path(at))
        .content(rules)
        .mode(mode)
        .guardedBy(sudoersTest(real.path(at))),
    ])

  // Once: what a session clears up after its answer may call them still.
  if (name === 'busybox ash') for (const tool of busybox) real.tools.program(tool, `exec busybox ${tool} "$@"`)

  beforeEach(() => {
    for (const entry of real.entries()) rmSync(real.path(entry))
    real.tools.program('visudo', visudo(real.root))
  })
  afterAll(() => real.remove())

  it('keeps rules that sudo takes', async () => {
    expect((await write('50-deploy', 'deploy ALL=(ALL) ALL\n')).outcomes).toEqual(['changed'])
    const gone = await real.run([
      file(real.path('50-deploy'))
        .absent()
        .guardedBy(sudoersTest(real.path('50-deploy'))),
    ])
    expect(gone.outcomes).toEqual(['changed'])
  })

  it('puts back rules that sudo would refuse, and tells where', async () => {
    const { failures, told } = await write('50-deploy', 'a bad line\n')
    expect(failures[0]).toMatch(/^visudo -c failed after .*, and it was put back: .*50-deploy:1:10: syntax error$/)
    expect(told[0]?.failure?.seen?.output).toContain('^~~~')
    expect(real.entries()).toEqual([])
  })

  it('puts back a file with a mode that visudo does not want', async () => {
    const { failures } = await write('50-deploy', 'deploy ALL=(ALL) ALL\n', '0644')
    expect(failures[0]).toMatch(/put back: .*50-deploy: bad permissions, should be mode 0440$/)
  })

  it.each(['50-deploy.conf', '50-deploy~'])('puts back %s, which sudo would not read', async (at) => {
    const { failures } = await write(at, 'deploy ALL=(ALL) ALL\n')
    expect(failures[0]).toMatch(/put back: sudo does not read .*: is its name without a dot and a ~/)
    expect(real.entries()).toEqual([])
  })
})
