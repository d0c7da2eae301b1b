/**
 * A user's project in a temporary folder, and command lines said in it. A checkout resolves 'fleetplay' by its own tsconfig,
 * wherever a play lies, so that the project needs no node_modules.
 */

import { type ChildProcess, fork, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const binPath = fileURLToPath(new URL('../../cli/play.js', import.meta.url))
const standingPath = fileURLToPath(new URL('./standing-play.js', import.meta.url))

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Project {
  readonly folder: string
  readonly write: (path: string, text: string) => void
  /** What a command line says and returns, in a process that stands already: a start costs more than most commands. */
  readonly play: (args: readonly string[], env?: Environment, onOutput?: OnOutput) => Promise<Ended>
  /** The real bin, for what only a process of its own can show: how it starts and ends, its streams, signals. */
  readonly bin: (args: readonly string[], onOutput?: OnOutput, env?: Environment) => Promise<Ended>
}

/** Told all that standard output had so far, and the process to send signals to. */
type OnOutput = (text: string, pid: number) => void
type Environment = Readonly<Record<string, string>>

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

/** The files that a page of the documentation shows: its blocks that begin with their names. */
export function filesOf(page: string): Readonly<Record<string, string>> {
  const blocks = readFileSync(join(house, page), 'utf8').matchAll(/```ts\n(\/\/ ((?:plays|inventory)\/\S+)\n[^]*?)```/g)
  return Object.fromEntries([...blocks].map(([, file = '', path = '']) => [path, file]))
}

const house = fileURLToPath(new URL('../..', import.meta.url))

/** A tsconfig.json by which fleetplay is found as `npm install fleetplay` would have it found. */
export const installed = JSON.stringify({
  compilerOptions: {
    strict: true,
    target: 'es2023',
    module: 'nodenext',
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    types: [],
    paths: { fleetplay: [join(house, 'index.ts')] },
  },
})

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
  return {
    folder,
    write,
    play: (args, env = {}, onOutput = () => {}) => say(folder, args, env, onOutput),
    bin: (args, onOutput = () => {}, env = {}) => run(folder, args, onOutput, env),
  }
}

const { PATH = '', HOME = '' } = process.env
const stateIn = (folder: string) => ({
  XDG_STATE_HOME: join(folder, '.state'),
  FLEETPLAY_LOCK_DIR: join(folder, '.lock'),
})

let standing: ChildProcess | undefined

function say(cwd: string, args: readonly string[], env: Environment, onOutput: OnOutput): Promise<Ended> {
  if (!standing) {
    standing = fork(standingPath, { env: { PATH, HOME }, execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    // It ends when this process does.
    standing.unref()
    standing.channel?.unref()
  }
  const child = standing
  return new Promise((resolve, reject) => {
    const lost = () => {
      standing = undefined
      reject(new Error(`play ${args.join(' ')} ended the process that it was said in.`))
    }
    child.once('exit', lost)
    const hear = (message: unknown) => {
      const { status, stdout, stderr } = message as Partial<Ended>
      if (status === undefined) return onOutput(stdout!, child.pid!)
      child.off('exit', lost)
      child.off('message', hear)
      resolve({ status, stdout: stdout!, stderr: stderr! })
    }
    child.on('message', hear)
    child.send({ args, cwd, env: { ...stateIn(cwd), ...env } })
  })
}

function run(cwd: string, args: readonly string[], onOutput: OnOutput, env: Environment): Promise<Ended> {
  const child = spawn(process.execPath, [binPath, ...args], {
    cwd,
    env: { PATH, HOME, ...stateIn(cwd), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString()
    onOutput(stdout, child.pid!)
  })
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString()
  })
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, stdout, stderr })))
}
