import { rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { file } from '../../../modules/file.ts'
import { nginxTest, siteTest } from '../../../modules/nginx/configuration-test.ts'
import { Real, realShells } from '../real.ts'

/** Says what nginx 1.22 and 1.30 say, of the `.conf` files of a folder. */
const nginx = (folder: string) => `cd "${folder}" || exit
for f in *.conf; do
  grep -qs bogus "$f" || continue
  echo "2026/11/23 06:15:49 [emerg] 1834#1834: unknown directive \\"bogus\\" in $f:1" >&2
  echo 'nginx: configuration file /etc/nginx/nginx.conf test failed' >&2
  exit 1
done
if [ "$(cat *.conf 2>/dev/null | grep -c 'server_name same')" -gt 1 ]; then
  echo '2026/11/23 06:15:55 [warn] 1874#1874: conflicting server name "same" on 0.0.0.0:443, ignored' >&2
fi
echo 'nginx: configuration file /etc/nginx/nginx.conf test is successful' >&2`

const busybox = ['grep', 'sed', 'cat']

describe.each(realShells)('with $title', ({ name, there }) => {
  const real = there ? new Real(name) : undefined
  const write = async (config: string, guard = nginxTest()) =>
    await real!.run([file(real!.path('site.conf')).content(config).guardedBy(guard)])

  beforeEach(() => {
    if (!real) return
    for (const entry of real.entries()) rmSync(real.path(entry))
    if (name === 'busybox ash') for (const tool of busybox) real.tools.program(tool, `exec busybox ${tool} "$@"`)
    real.tools.program('nginx', nginx(real.root))
  })
  afterAll(() => real?.remove())

  it.skipIf(!there)('keeps what nginx accepts', async () => {
    expect((await write('server {}\n')).outcomes).toEqual(['changed'])
    expect(real!.text('site.conf')).toBe('server {}\n')
  })

  it.skipIf(!there)('puts back what nginx refuses, and tells its words last', async () => {
    await write('server {}\n')
    const { told } = await write('bogus on;\n')
    const said = 'unknown directive "bogus" in site.conf:1'
    expect(told[0]!.failure).toMatchObject({ code: 'E_GUARD', seen: { command: 'nginx -t', output: said } })
    expect(told[0]!.failure!.message).toMatch(new RegExp(`^nginx -t failed after .+, and it was put back: ${said}$`))
    expect(real!.text('site.conf')).toBe('server {}\n')
    expect(real!.entries()).toEqual(['site.conf'])
  })

  it.skipIf(!there)('tells that nginx refuses its configuration without the change too', async () => {
    writeFileSync(real!.path('zz.conf'), 'bogus on;\n')
    const { failures } = await write('server {}\n')
    expect(failures[0]).toContain('nginx -t fails without')
    expect(failures[0]).toContain('unknown directive "bogus" in zz.conf:1')
    expect(real!.entries()).toEqual(['zz.conf'])
  })

  it.skipIf(!there)('lets a change through that cures what nginx refused', async () => {
    writeFileSync(real!.path('site.conf'), 'bogus on;\n')
    expect((await write('server {}\n')).outcomes).toEqual(['changed'])
  })

  it.skipIf(!there)('puts back a site that nginx would ignore, since its name is taken', async () => {
    writeFileSync(real!.path('zz.conf'), 'server_name same;\n')
    const { failures } = await write('server_name same;\n', siteTest(['other', 'same']))
    expect(failures[0]).toMatch(/put back: conflicting server name "same" on 0\.0\.0\.0:443, ignored$/)
    expect(real!.entries()).toEqual(['zz.conf'])
    // Others may have one between them: that is no reason to stop.
    expect((await write('server_name same;\n', siteTest(['other']))).outcomes).toEqual(['changed'])
  })
})
