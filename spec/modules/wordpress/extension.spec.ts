import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { directoryAt } from '../../../modules/file.ts'
import { codeFolder, digestOf, type FolderState } from '../../../modules/wordpress/code-folder.ts'
import { wpPlugin, wpTheme } from '../../../modules/wordpress/extension.ts'
import { packedTheme } from '../../../modules/wordpress/packed-code.ts'
import { activePlugin, activeTheme, isNetwork } from '../../../modules/wordpress/site.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { answers, inShell, readScript } from '../answers.ts'
import { Real, realShells } from '../real.ts'

const zips = '../../fixtures/wordpress'
const theme = wpTheme('law-theme').from(`${zips}/law-theme.zip`).in('/srv/www')
const plugin = wpPlugin('law-plugin').from(`${zips}/law-plugin.zip`).in('/srv/www')
const site = { folder: '/srv/www', user: 'www-data', host: undefined }
const { files } = packedTheme(readFileSync(join(import.meta.dirname, zips, 'law-theme.zip')))
const problems = (task: Task) => task.problems.map(({ message }) => message)

describe('a theme', () => {
  it('is unpacked and activated, and then there is nothing to change', async () => {
    const host = mockHost('web1')
    const { changes } = await run(theme, host)
    expect(changes.map(({ label, before, after }) => `${label}: ${before} → ${after}`)).toEqual([
      `/srv/www/wp-content/themes/law-theme: absent → 6 files (${digestOf(files).slice(0, 8)}) 0755 root:root`,
      'theme of /srv/www: twentytwentythree → law-theme',
    ])
    expect((await run(theme, host)).recap.tasks).toMatchObject({ ok: 1, changed: 0 })
  })

  it('is seen to differ by its digest, and keeps its owner', async () => {
    const place = codeFolder('/srv/www/wp-content/themes/law-theme')
    const state: FolderState = {
      type: 'folder',
      digest: 'f'.repeat(64),
      files: 7,
      mode: '0755',
      owner: 'deploy',
      group: 'deploy',
    }
    const { changes } = await run(theme, mockHost('web1').has(place, state))
    expect(changes[0]).toMatchObject({
      before: '7 files (ffffffff) 0755 deploy:deploy',
      after: expect.stringContaining('deploy:deploy'),
    })
  })

  it('may be there and not be used', async () => {
    const only = wpTheme('law-theme').from(`${zips}/law-theme.zip`).in('/srv/www', { activate: false })
    expect((await run(only, mockHost('web1'))).changes.map(({ label }) => label)).toEqual([
      '/srv/www/wp-content/themes/law-theme',
    ])
  })

  it('is refused for a network of sites, and without a folder of themes', async () => {
    const network = await run(theme, mockHost('web1').has(isNetwork(site), true))
    expect(network.tasks[0]!.failure).toMatchObject({
      message: '/srv/www is a network of sites, each of which has a choice of its own.',
    })
    const none = await run(theme, mockHost('web1').has(directoryAt('/srv/www/wp-content/themes'), { type: 'absent' }))
    expect(none.tasks[0]!.failure).toMatchObject({ message: '/srv/www/wp-content/themes does not exist.' })
  })

  it('is told before any connection where its archive is no good', async () => {
    const from = (name: string) => run(wpTheme('t').from(`${zips}/${name}`).in('/srv/www'), mockHost('web1'))
    await expect(from('link.zip')).rejects.toThrow(
      /^wpTheme t: the archive \S+\/link\.zip: "law-theme\/link" is a symbolic link$/,
    )
    await expect(from('outer.zip')).rejects.toThrow('it has no style.css that names a theme')
    await expect(from('nosuch.zip')).rejects.toThrow('does not exist')
  })

  it.each([
    [
      wpTheme('../x').from('a.zip').in('/srv'),
      'wpTheme: "../x" is not the name of a folder: letters, digits and ._- make one',
    ],
    [wpTheme('x').from('a.zip').in('srv'), 'wpTheme x: the path "srv" must be absolute'],
    [wpPlugin('x').from('a.zip').in('/srv', { host: "a'" }), 'wpPlugin x: "a\'" is not the name of a host'],
  ])('is wrong before any connection: %#', (task, problem) => {
    expect(problems(task)).toEqual([problem])
  })

  it('is no task before it says archive and site', () => {
    // @ts-expect-error a start is no task
    const start: Task = wpTheme('x')
    // @ts-expect-error the site is not said
    const packed: Task = wpTheme('x').from('a.zip')
    expect([start.unfinished, packed.unfinished]).toEqual(['wpTheme x lacks .from(zip)', 'wpTheme x lacks .in(folder)'])
  })
})

it('a plugin is named by its main file', async () => {
  const { changes } = await run(plugin, mockHost('web1'))
  expect(changes.map(({ label, after }) => `${label}: ${after}`)[1]).toBe(
    'plugin law-plugin/law-plugin.php of /srv/www: active',
  )
})

describe('what a site answers', () => {
  // As WordPress 6.1 and 7.1 do, with what a constant that is defined twice makes PHP say before it.
  const answer =
    'PHP Warning: …\n\nfleetplay:{"stylesheet":"child","template":"parent","plugins":["akismet/akismet.php"],"network":false}\n'

  it('is found among what PHP says', () => {
    const stdout = Buffer.from(answer)
    expect(answers([activeTheme(site)], { stdout })).toEqual([{ stylesheet: 'child', template: 'parent' }])
    expect(answers([activePlugin(site, 'akismet/akismet.php')], { stdout })).toEqual(['active'])
    expect(answers([activePlugin(site, 'a/b.php')], { stdout })).toEqual(['inactive'])
    expect(answers([isNetwork(site)], { stdout })).toEqual([false])
  })

  it.each([
    [
      'fleetplay:{"stylesheet":false,"template":false,"plugins":[],"network":false}\n',
      0,
      'The WordPress in /srv/www is not installed: its database has no options.',
    ],
    [
      '<html><head><title>x</title></head><body><h1>Error establishing a database connection</h1></body></html>',
      0,
      'The WordPress in /srv/www does not answer.',
    ],
    ['', 127, 'The WordPress in /srv/www does not answer.'],
  ])('is unreadable otherwise: %j', (text, status, message) => {
    expect(answers([activeTheme(site)], { stdout: Buffer.from(text), status })).toMatchObject([
      { code: 'E_UNREADABLE', message },
    ])
  })

  it('is asked without plugins and themes, and changes start no event', () => {
    expect(readScript([activeTheme(site)]).text).toContain(
      "define('\\''SHORTINIT'\\'', true);\nrequire '\\''/srv/www/wp-load.php'\\'';",
    )
    const to = { stylesheet: 'a', template: 'a' }
    expect(activeTheme(site).write!(to, { stylesheet: 'b', template: 'b' }).text).toContain(
      "$_GET['\\''doing_wp_cron'\\''] = '\\'''\\'';",
    )
  })
})

describe.each(realShells.filter(({ name }) => name !== 'busybox ash'))(
  'a folder of code, by $title',
  ({ name: shell, there }) => {
    const real = there ? new Real(shell) : undefined
    afterAll(() => real?.remove())
    const path = () => real!.path('law theme')
    const place = () => codeFolder(path(), files)
    const read = () => {
      const { status, stdout, stderr } = inShell(shell, readScript([place()]))
      return answers([place()], { status, stdout, stderr })[0] as FolderState
    }
    const write = (to: FolderState, from: FolderState) => {
      const { status, stderr } = inShell(shell, place().write!(to, from))
      return { status, stderr }
    }
    const ours = (): FolderState => {
      const { owner, group } = ownerOf()
      return { type: 'folder', digest: digestOf(files), files: files.length, mode: '0755', owner, group }
    }
    const ownerOf = () => {
      mkdirSync(real!.path('probe'), { recursive: true })
      const state = inShell(shell, readScript([codeFolder(real!.path('probe'))]))
      return answers([place()], state)[0] as FolderState & { type: 'folder' }
    }
    const kept = () => readdirSync(real!.root).filter((name) => name.startsWith('.'))
    const done = { status: 0, stderr: '' }

    it.runIf(there)('is made whole, and reads as what was wished', () => {
      expect(read()).toEqual({ type: 'absent' })
      expect(write(ours(), { type: 'absent' })).toEqual(done)
      expect(read()).toEqual(ours())
      expect(kept()).toEqual([])
    })

    it.runIf(there)('shows a file more, another content, another mode and a link as another digest', () => {
      const states = [read()]
      const look = (change: () => void, back: () => void) => {
        change()
        states.push(read())
        back()
        expect(read()).toEqual(ours())
      }
      look(
        () => writeFileSync(join(path(), 'new'), ''),
        () => rmSync(join(path(), 'new')),
      )
      look(
        () => chmodSync(join(path(), 'style.css'), 0o600),
        () => chmodSync(join(path(), 'style.css'), 0o644),
      )
      const style = readFileSync(join(path(), 'style.css'))
      look(
        () => writeFileSync(join(path(), 'style.css'), 'x'),
        () => writeFileSync(join(path(), 'style.css'), style),
      )
      expect(new Set(states.map((state) => JSON.stringify(state))).size).toBe(4)
    })

    it.runIf(there)('keeps the one before beside it, closed, and gives it back', () => {
      writeFileSync(join(path(), 'index.php'), '<?php // changed by hand')
      const changed = read()
      expect(write(ours(), changed)).toEqual(done)
      expect(read()).toEqual(ours())
      expect(kept()).toEqual([expect.stringMatching(/^\.law theme\.was\.[0-9a-f]{16}$/)])
      expect(statSync(real!.path(kept()[0]!)).mode & 0o777).toBe(0o700)
      expect(write(changed, ours())).toEqual(done)
      expect(read()).toEqual(changed)
      expect(readFileSync(join(path(), 'index.php'), 'utf8')).toBe('<?php // changed by hand')
      expect(write({ type: 'absent' }, changed)).toEqual(done)
      expect(read()).toEqual({ type: 'absent' })
      expect(write(changed, { type: 'absent' })).toEqual(done)
      expect(read()).toEqual(changed)
    })

    it.runIf(there)('is left as it is where what should come back is not what was kept', () => {
      const [now, gone] = [read(), { ...ours(), digest: 'e'.repeat(64) }]
      expect(write(gone, now)).toEqual({ status: 1, stderr: expect.stringContaining('is no longer kept in') })
      mkdirSync(real!.path(`.law theme.was.${'e'.repeat(16)}`))
      expect(write(gone, now)).toEqual({
        status: 1,
        stderr: expect.stringContaining('does not have the files that it should have'),
      })
      expect(read()).toEqual(now)
    })
  },
)

it('a folder that is a link, or no folder, is not taken', () => {
  const place = codeFolder('/srv/t')
  expect(answers([place], { stdout: Buffer.from('link\n') })).toMatchObject([{ message: '/srv/t is a symbolic link.' }])
  expect(answers([place], { stdout: Buffer.from('other\n') })).toMatchObject([{ message: '/srv/t is no directory.' }])
})
