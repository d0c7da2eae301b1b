/**
 * The warm no-op: 40 tasks on 10 hosts that are as desired, beside a bare script that logs in and asks the same.
 *
 *     npm run bench -- [HOSTS] [RUNS]
 */

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { startFleet } from './sshd.ts'

const repository = join(import.meta.dirname, '..')
const count = Number(process.argv[2] ?? 10)
const runs = Number(process.argv[3] ?? 9)
const tasks = 40

const folder = mkdtempSync(join(tmpdir(), 'fleetplay-bench-'))
const fleet = await startFleet(folder, count)
try {
  project()
  const play = () =>
    timed(process.execPath, [join(folder, 'node_modules/fleetplay/cli/play.js'), 'run', 'bench', '--output', 'json'])
  const floor = () => timed(process.execPath, [join(repository, 'bench/floor.mjs'), join(folder, 'floor.json')])
  const first = recap(play().stdout)
  if (first.tasks.changed !== count * tasks)
    throw new Error(`the first run changed ${first.tasks.changed}, not ${count * tasks}`)
  const times = { play: [] as number[], floor: [] as number[] }
  for (let i = 0; i < runs; i++) {
    times.floor.push(floor().seconds)
    const { seconds, stdout } = play()
    const { tasks: told, trips } = recap(stdout)
    if (told.changed !== 0 || told.ok !== count * tasks || trips !== 2)
      throw new Error(`no no-op: ${JSON.stringify({ told, trips })}`)
    times.play.push(seconds)
  }
  const [p, f] = [median(times.play), median(times.floor)]
  console.log(`${tasks} tasks on ${count} hosts, nothing to do, medians of ${runs}:`)
  console.log(`  play run      ${p.toFixed(2)} s`)
  console.log(`  bare script   ${f.toFixed(2)} s`)
  console.log(`  ratio         ${(p / f).toFixed(2)}`)
} finally {
  await fleet.close()
  rmSync(folder, { recursive: true })
}

/** A project as a user has it: an inventory, a play, and the package. */
function project(): void {
  // The package as it is published: what was built, without the sources.
  const installed = join(folder, 'node_modules/fleetplay')
  mkdirSync(join(installed, 'cli'), { recursive: true })
  for (const file of ['package.json', 'cli/play.js']) copyFileSync(join(repository, file), join(installed, file))
  symlinkSync(join(repository, 'dist'), join(installed, 'dist'))
  mkdirSync(join(folder, 'plays'))
  mkdirSync(join(folder, 'inventory'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const hosts = Object.fromEntries(
    fleet.hosts.map(({ name, port, root }) => [name, { address: '127.0.0.1', ssh: { port }, vars: { root } }]),
  )
  const ssh = { user: userInfo().username, privateKey: fleet.privateKey, knownHosts: fleet.knownHosts }
  writeFileSync(
    join(folder, 'inventory/shape.ts'),
    `import { shape, text } from 'fleetplay'\nexport const fleet = shape({ vars: { root: text }, groups: {} })\n`,
  )
  writeFileSync(
    join(folder, 'inventory/default.ts'),
    `import { inventory } from 'fleetplay'\nimport { fleet } from './shape.ts'\nexport default inventory(fleet, ${JSON.stringify({ ssh, hosts })})\n`,
  )
  writeFileSync(
    join(folder, 'plays/bench.ts'),
    `import { file } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
export default fleet.play('bench').hosts('all').tasks(({ vars }) =>
  Array.from({ length: ${tasks} }, (_, i) => file(\`\${vars.root}/\${i}\`).content(\`setting = \${i}\\n\`.repeat(20)).mode('0640')),
)
`,
  )
  const paths = Array.from({ length: tasks }, (_, i) => `@ROOT@/${i}`).join(' ')
  const script = `stat -c '%f %s %a %U %G' ${paths}\ncat ${paths}\n`
  const { hosts: all, privateKey } = fleet
  writeFileSync(join(folder, 'floor.json'), JSON.stringify({ hosts: all, privateKey, username: ssh.user, script }))
}

function timed(command: string, args: readonly string[]): { readonly seconds: number; readonly stdout: string } {
  const started = performance.now()
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  const seconds = (performance.now() - started) / 1000
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} → ${status}\n${stdout}${stderr}`)
  return { seconds, stdout }
}

interface Told {
  readonly tasks: { readonly ok: number; readonly changed: number }
  readonly trips: number
}

function recap(stdout: string): Told {
  const last = stdout.trimEnd().split('\n').at(-1)!
  return (JSON.parse(last) as { recap: Told }).recap
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
