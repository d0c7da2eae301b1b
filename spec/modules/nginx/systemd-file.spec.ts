import { lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import type { Resource } from '../../../dsl/resource.ts'
import { Failure } from '../../../errors/failure.ts'
import { systemdFile } from '../../../modules/nginx/systemd-file.ts'
import type { FileState } from '../../../probe/file.ts'
import { Real, realShells } from '../real.ts'

describe.each(realShells)('with $title', ({ name, there }) => {
  const real = there ? new Real(name) : undefined
  const root = real?.root ?? ''
  const host = real?.host()
  let as = { owner: '', group: '' }

  beforeEach(async () => {
    if (!real || !host) return
    for (const entry of readdirSync(root)) rmSync(`${root}/${entry}`, { recursive: true })
    real.tools.program('systemctl', `echo "$@" >>"${real.tools.path}/asked"`)
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
