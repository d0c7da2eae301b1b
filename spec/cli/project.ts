/**
 * A user's project in a temporary folder, and the real bin run in it. The bin of a checkout resolves 'fleetplay' by its own
 * tsconfig, wherever a play lies, so that the project needs no node_modules.
 */

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const bin = fileURLToPath(new URL('../../cli/play.js', import.meta.url))

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Project {
  readonly folder: string
  readonly write: (path: string, text: string) => void
  readonly play: (args: readonly string[], options?: PlayOptions) => Promise<Ended>
}

export interface PlayOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Called with all that it wrote so far. */
  readonly onOutput?: (text: string, pid: number) => void
}

export const shape = `import { shape, text } from 'fleetplay'
export const fleet = shape({ vars: { domain: text }, groups: { web: { vars: { php: text } }, db: {} } })
`

export const sandbox = `import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'
export default inventory(fleet, {
  carrier: { simulated: {} },
  vars: { domain: 'coaching.example' },
  groups: { web: { vars: { php: '8.4' } } },
  hosts: { web1: { groups: ['web'] }, web2: { groups: ['web'] }, db1: { groups: ['db'] } },
})
`

export const hello = `import { file, handler, sh } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'

export default fleet.play('hello').hosts('web').tasks(({ vars }) => [
  file('/etc/motd').content(\`Welcome to \${vars.domain}.\\n\`).notify(handler('tell', sh\`wall hello\`)).tags('motd'),
  file('/etc/php-version').content(\`\${vars.php}\\n\`),
])
`

/** A project with the files of a sandbox, and others. It is removed when the test has ended. */
export function project(files: Readonly<Record<string, string>> = {}): Project {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'fleetplay-cli-')))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const all = {
    'package.json': '{ "type": "module" }',
    'inventory/shape.ts': shape,
    'inventory/default.ts': sandbox,
    'plays/hello.ts': hello,
    ...files,
  }
  for (const [path, text] of Object.entries(all)) if (text !== '') write(path, text)
  return { folder, write, play: (args, options) => run(folder, args, options) }
}

function run(cwd: string, args: readonly string[], { env = {}, onOutput }: PlayOptions = {}): Promise<Ended> {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, [bin, ...args], {
    cwd,
    env: { PATH, HOME, XDG_STATE_HOME: join(cwd, '.state'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString()
    onOutput?.(stdout, child.pid!)
  })
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString()
  })
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, stdout, stderr })))
}
