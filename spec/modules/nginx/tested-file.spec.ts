import { lstatSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import type { Resource } from '../../../dsl/resource.ts'
import { Failure } from '../../../errors/failure.ts'
import { nginxConfig, systemdFile } from '../../../modules/nginx/tested-file.ts'
import type { FileState } from '../../../probe/file.ts'
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

const busybox = ['cp', 'grep', 'sed', 'tail', 'cat']

describe.each(realShells)('with $title', ({ name, there }) => {
  const real = there ? new Real(name) : undefined
  const root = real?.root ?? ''
  const site = `${root}/site.conf`
  const kept = `${root}/.site.conf.accepted`
  const host = real?.host()
  let as = { owner: '', group: '' }

  beforeEach(async () => {
    if (!real || !host) return
    for (const entry of readdirSync(root)) rmSync(`${root}/${entry}`, { recursive: true })
    if (name === 'busybox ash') for (const tool of busybox) real.tools.program(tool, `exec busybox ${tool} "$@"`)
    real.tools.program('nginx', nginx(root))
    real.tools.program('systemctl', `echo "$@" >>"${real.tools.path}/asked"`)
    const { user, group } = await host.facts(undefined)
    as = { owner: user, group }
  })
  afterAll(async () => {
    await host?.close()
    real?.remove()
  })

  const text = (content: string, mode = '0644'): FileState => ({
    type: 'file',
    content: { text: content },
    mode,
    ...as,
  })

  async function read(place: Resource<FileState>): Promise<FileState> {
    const [result] = await host!.read([place as Resource<unknown>], undefined)
    if ('failure' in result!) throw result.failure
    return result!.value as FileState
  }

  /** Moves a place to a value, and tells how that ended. */
  async function write(place: Resource<FileState>, to: FileState): Promise<string> {
    const from = await read(place)
    const step = { resource: place as Resource<unknown>, from, to, script: place.write!(to, from), deadline: 10 }
    const [end] = await host!.apply([step], undefined)
    return end instanceof Failure ? end.message : end!
  }

  it.skipIf(!there)('keeps what nginx accepts, and leaves nothing beside it', async () => {
    expect(await write(nginxConfig(site), text('server {}\n'))).toBe('done')
    expect(await read(nginxConfig(site))).toEqual(text('server {}\n'))
    expect(await write(nginxConfig(site), text('server { }\n', '0640'))).toBe('done')
    expect(await read(nginxConfig(site))).toEqual(text('server { }\n', '0640'))
    expect(readdirSync(root)).toEqual(['site.conf'])
    expect(await write(nginxConfig(site), { type: 'absent' })).toBe('done')
    expect(readdirSync(root)).toEqual([])
  })

  it.skipIf(!there)('puts back what nginx refuses, and tells its words', async () => {
    const refused = 'nginx refused this configuration, and it was put back: unknown directive "bogus" in site.conf:1'
    expect(await write(nginxConfig(site), text('bogus on;\n'))).toBe(refused)
    expect(readdirSync(root)).toEqual([])
    await write(nginxConfig(site), text('server {}\n', '0640'))
    expect(await write(nginxConfig(site), text('bogus on;\n'))).toBe(refused)
    expect(await read(nginxConfig(site))).toEqual(text('server {}\n', '0640'))
    expect(readdirSync(root)).toEqual(['site.conf'])
  })

  it.skipIf(!there)('changes nothing where nginx refuses its configuration already', async () => {
    writeFileSync(`${root}/zz.conf`, 'bogus on;\n')
    expect(await write(nginxConfig(site), text('server {}\n'))).toBe(
      'nginx refuses its configuration already without this change, which was not made: unknown directive "bogus" in zz.conf:1',
    )
    expect(readdirSync(root)).toEqual(['zz.conf'])
  })

  it.skipIf(!there)('cures what it had broken itself', async () => {
    writeFileSync(site, 'bogus on;\n')
    expect(await write(nginxConfig(site), text('server {}\n'))).toBe('done')
    expect(await read(nginxConfig(site))).toEqual(text('server {}\n'))
  })

  it.skipIf(!there)('puts back a server that nginx would ignore', async () => {
    writeFileSync(`${root}/zz.conf`, 'server_name same;\n')
    expect(await write(nginxConfig(site), text('server_name same;\n'))).toBe(
      'nginx would ignore a server of this configuration, and it was put back: conflicting server name "same" on 0.0.0.0:443, ignored',
    )
    expect(readdirSync(root)).toEqual(['zz.conf'])
    // One that others have between them is no reason to stop.
    writeFileSync(`${root}/zy.conf`, 'server_name same;\n')
    expect(await write(nginxConfig(site), text('server_name other;\n'))).toBe('done')
  })

  it.skipIf(!there)(
    'sees after a cut that the content was never tested, and starts from the one that was',
    async () => {
      writeFileSync(site, 'bogus on;\n', { mode: 0o600 })
      symlinkSync('absent', kept)
      expect(await read(nginxConfig(site))).not.toEqual(text('bogus on;\n'))
      expect(await write(nginxConfig(site), text('bogus on;\n'))).toContain('nginx refused this configuration')
      expect(readdirSync(root)).toEqual([])
      writeFileSync(site, 'bogus on;\n', { mode: 0o600 })
      writeFileSync(kept, 'server {}\n', { mode: 0o644 })
      expect(await write(nginxConfig(site), text('bogus on;\n'))).toContain('nginx refused this configuration')
      expect(await read(nginxConfig(site))).toEqual(text('server {}\n'))
      expect(readdirSync(root)).toEqual(['site.conf'])
    },
  )

  it.skipIf(!there)("makes a drop-in's folder, and takes an empty one away", async () => {
    const place = systemdFile(`${root}/nginx.service.d/x.conf`)
    expect(await write(place, text('[Service]\n'))).toBe('done')
    expect(lstatSync(`${root}/nginx.service.d`).isDirectory()).toBe(true)
    writeFileSync(`${root}/nginx.service.d/other.conf`, '')
    expect(await write(place, { type: 'absent' })).toBe('done')
    expect(readdirSync(`${root}/nginx.service.d`)).toEqual(['other.conf'])
    rmSync(`${root}/nginx.service.d/other.conf`)
    await write(place, text('[Service]\n'))
    await write(place, { type: 'absent' })
    expect(readdirSync(root)).toEqual([])
  })

  it.skipIf(!there)('restarts a unit whose file is another, and none that is new', async () => {
    const place = systemdFile(`${root}/x.service`, 'x.service')
    const asked = () => readFileSync(`${real!.tools.path}/asked`, 'utf8')
    writeFileSync(`${real!.tools.path}/asked`, '')
    await write(place, text('[Service]\n'))
    expect(asked()).toBe('')
    await write(place, text('[Service]\nUser=x\n'))
    expect(asked()).toBe('daemon-reload\ntry-restart -- x.service\n')
    writeFileSync(`${real!.tools.path}/asked`, '')
    await write(place, { type: 'absent' })
    expect(asked()).toBe('daemon-reload\n')
  })
})
