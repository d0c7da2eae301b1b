import { rmSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { file } from '../../modules/file.ts'
import { sshdTest } from '../../modules/sshd-test.ts'
import { Real, realShells } from './real.ts'

/** Says what sshd 10.6 says of a folder with `.conf` files, of which the first by name wins; `run` is its /run/sshd. */
const sshd = (folder: string) => `cd "${folder}" || exit
said() { printf '%s\\r\\n' "$1" >&2; }
[ ! -e norun ] || [ -d run ] || { said "Missing privilege separation directory: $PWD/run"; exit 255; }
! cat *.conf 2>/dev/null | grep -q RSAAuthentication || said "$PWD/a.conf line 1: Deprecated option RSAAuthentication"
if grep -qs Bogus a.conf; then
  said "$PWD/a.conf: line 1: Bad configuration option: Bogus"
  said "$PWD/a.conf: terminating, 1 bad configuration options"
  exit 255
fi
[ "$1" = -T ] || exit 0
if grep -qs 'Match Address 10.0.0.0/99' a.conf; then
  said "Invalid Match address argument '10.0.0.0/99' at line 1"
  said "$PWD/a.conf line 1: Bad Match condition"
  exit 255
fi
cat *.conf 2>/dev/null | grep -m 1 PermitRootLogin | tr PRL prl`

const busybox = ['grep', 'sed', 'tr', 'cat', 'rmdir', 'mkdir']

describe.each(realShells)('sshdTest() under $name', ({ name }) => {
  const real = new Real(name)
  const write = async (config: string, guard = sshdTest()) =>
    await real.run([file(real.path('a.conf')).content(config).guardedBy(guard)])

  // Once: what a session clears up after its answer may call them still.
  if (name === 'busybox ash') for (const tool of busybox) real.tools.program(tool, `exec busybox ${tool} "$@"`)

  beforeEach(() => {
    for (const entry of real.entries()) rmSync(real.path(entry), { recursive: true })
    real.tools.program('sshd', sshd(real.root))
  })
  afterAll(() => real.remove())

  it('keeps what sshd accepts, and what it only calls old', async () => {
    expect((await write('PermitRootLogin no\n')).outcomes).toEqual(['changed'])
    expect((await write('RSAAuthentication yes\n')).outcomes).toEqual(['changed'])
  })

  it('puts back what sshd refuses, and tells the cause last', async () => {
    const { failures, told } = await write('Bogus yes\nRSAAuthentication yes\n')
    expect(failures[0]).toMatch(
      /^sshd -t failed after .*, and it was put back: .*a\.conf: line 1: Bad configuration option: Bogus$/,
    )
    expect(told[0]?.failure?.seen?.output).not.toMatch(/\r|Deprecated|terminating/)
    expect(real.entries()).toEqual([])
  })

  it('finds a criterion of Match that only a login would meet', async () => {
    const { failures } = await write('Match Address 10.0.0.0/99\n')
    expect(failures[0]).toMatch(/put back: Invalid Match address argument '10\.0\.0\.0\/99' at line 1$/)
  })

  it('makes the folder that only a running sshd has, for its time', async () => {
    await real.run([file(real.path('norun')).content('')])
    expect((await write('PermitRootLogin no\n')).outcomes).toEqual(['changed'])
    expect(real.entries()).toEqual(['a.conf', 'norun'])
  })

  it('fails where a setting is said, and another file before it wins', async () => {
    const guard = sshdTest('PermitRootLogin  no')
    expect((await write('PermitRootLogin no\n', guard)).outcomes).toEqual(['changed'])
    rmSync(real.path('a.conf'))
    await real.run([file(real.path('0.conf')).content('PermitRootLogin yes\n')])
    const { failures, told } = await write('PermitRootLogin no\n', guard)
    expect(failures[0]).toContain('PermitRootLogin  no is not in effect: the first that says it wins')
    expect(told[0]?.failure?.seen?.output).toContain('sshd would have: permitrootlogin yes')
    expect(real.entries()).toEqual(['0.conf'])
  })

  it('says that there is no sshd', async () => {
    real.tools.program('sshd', 'exit 127')
    const { failures } = await write('PermitRootLogin no\n')
    expect(failures[0]).toContain('sshd -t fails without')
  })
})
