import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import { haproxyFile } from '../../modules/haproxy-file.ts'
import type { FileState } from '../../probe/file.ts'
import { Real, realShells } from './real.ts'

/** Says what HAProxy 3.2 says. */
const haproxy = `grep -q bogus "$3" || exit 0
echo '[NOTICE]   (1922) : haproxy version is 3.2.26-1' >&2
echo "[ALERT]    (1922) : config : parsing [$3:18] : unknown keyword 'bogus' in 'backend' section" >&2
echo "[ALERT]    (1922) : config : Error(s) found in configuration file : $3" >&2
echo '[ALERT]    (1922) : config : Fatal errors found in configuration.' >&2
exit 1`

const busybox = ['grep', 'sed', 'head']

describe.each(realShells)('with $title', ({ name, there }) => {
  const real = there ? new Real(name) : undefined
  const root = real?.root ?? ''
  const host = real?.host()
  let as = { owner: '', group: '' }

  beforeEach(async () => {
    if (!real || !host) return
    for (const entry of readdirSync(root)) rmSync(`${root}/${entry}`, { recursive: true })
    if (name === 'busybox ash') for (const tool of busybox) real.tools.program(tool, `exec busybox ${tool} "$@"`)
    real.tools.program('haproxy', haproxy)
    const { user, group } = await host.facts(undefined)
    as = { owner: user, group }
  })
  afterAll(async () => {
    await host?.close()
    await real?.remove()
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

  it.skipIf(!there)('puts in place only what HAProxy accepts, and tells its words', async () => {
    const place = haproxyFile(`${root}/hints.cfg`)
    expect(await write(place, text('backend a\n'))).toBe('done')
    expect(await read(place)).toEqual(text('backend a\n'))
    expect(await write(place, text('bogus\n'))).toBe(
      `HAProxy refused this configuration, and it was not put in place: parsing [${root}/hints.cfg:18] : unknown keyword 'bogus' in 'backend' section`,
    )
    expect(await read(place)).toEqual(text('backend a\n'))
    expect(readdirSync(root)).toEqual(['hints.cfg'])
    expect(await write(place, { type: 'absent' })).toBe('done')
    expect(readdirSync(root)).toEqual([])
  })

  it.skipIf(!there)('tells whatever was said by one that gave no reason', async () => {
    real!.tools.program('haproxy', 'echo Segmentation fault >&2; exit 139')
    expect(await write(haproxyFile(`${root}/hints.cfg`), text('backend a\n'))).toBe(
      'HAProxy refused this configuration, and it was not put in place: Segmentation fault',
    )
    expect(readdirSync(root)).toEqual([])
  })

  it.skipIf(!there)('says that HAProxy refuses what is there too: the mistake may be of somebody else', async () => {
    writeFileSync(`${root}/hints.cfg`, 'bogus by hand\n')
    const said = `parsing [${root}/hints.cfg:18] : unknown keyword 'bogus' in 'backend' section`
    expect(await write(haproxyFile(`${root}/hints.cfg`), text('bogus by hand\nhint\n'))).toBe(
      `HAProxy refused this configuration, and it was not put in place: ${said} (It refuses the one that is there too.)`,
    )
    expect(readdirSync(root)).toEqual(['hints.cfg'])
    expect(await write(haproxyFile(`${root}/hints.cfg`), text('backend a\n'))).toBe('done')
  })
})
