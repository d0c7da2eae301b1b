/** The canary on its way to a real shell: in what play prints, in its records, in processes, and in what is left behind. */

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type Project, project } from '../cli/project.ts'
import { canary, leaksIn } from './canary.ts'

const inventory = `import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'
export default inventory(fleet, {
  vars: { domain: 'x.example' },
  groups: { web: { vars: { php: '8.4' } } },
  hosts: { here: { groups: ['web'], carrier: 'local' } },
})
`

/** The value comes by a command, so that the environment of no process begins with it. */
function on(tasks: string): Project & { readonly host: string } {
  const made = project({ 'inventory/default.ts': inventory, 'secrets/canary': `${canary}\n` })
  const host = join(made.folder, 'host')
  mkdirSync(host)
  made.write(
    'plays/hello.ts',
    `import { command, configTest, file, handler, line, secret, sh } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
const host = '${host}'
const password = secret.command(['cat', 'secrets/canary'])
export default fleet.play('hello').hosts('web').tasks([
${tasks}
])
`,
  )
  return { ...made, host }
}

/** Everything in the files of a folder, with the names of those that others may read. */
function recordsIn(folder: string): { readonly text: string; readonly open: readonly string[] } {
  const all = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
  const files = all.filter((path) => statSync(path).isFile())
  return {
    text: files.map((path) => `${path}\n${readFileSync(path, 'latin1')}`).join('\n'),
    open: files.filter((path) => (statSync(path).mode & 0o077) !== 0),
  }
}

/** Looks at the arguments and the environments of all processes, as often as it can, until it is told to end. */
function watchProcesses(): () => { readonly text: string; readonly looks: number } {
  const seen = new Set<string>()
  let looks = 0
  const timer = setInterval(() => {
    looks++
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      for (const part of ['cmdline', 'environ']) {
        try {
          seen.add(readFileSync(`/proc/${pid}/${part}`, 'utf8'))
        } catch {
          // It has ended, or is of another user.
        }
      }
    }
  }, 15)
  return () => {
    clearInterval(timer)
    return { text: [...seen].join('\n'), looks }
  }
}

it('is in no output, record, process or temporary file of a run, its plans, its repetition and its undo', async () => {
  const { bin, folder, host } = on(`
  file(\`\${host}/app.key\`).content(password),
  file(\`\${host}/app.conf\`).content(secret.text\`[client]\\nuser = x\\npassword = \${password}\\n\`).mode('0640').notify(
    handler('tell', sh\`cat >\${host}/told; sleep 0.3\`.reading(password)),
  ),
  command('login', sh\`cat >\${host}/read; sleep 0.3\`.reading(secret.text\`user:\${password}\`)).creates(\`\${host}/read\`),
  line(\`\${host}/other.conf\`).present('verbose'),`)
  // What the host has already: a password that nobody named, in a file of which a line is edited.
  writeFileSync(join(host, 'other.conf'), `password = ${canary}\n`)
  writeFileSync(join(host, 'app.key'), `old-${canary}`, { mode: 0o600 })
  const temporary = join(folder, 'temporary')
  mkdirSync(temporary)
  // What the loader made of our sources before: to make it anew takes longer than all the rest.
  const loaded = `tsx-${process.geteuid!()}`
  mkdirSync(join(tmpdir(), loaded), { recursive: true })
  symlinkSync(join(tmpdir(), loaded), join(temporary, loaded))
  const env = { XDG_RUNTIME_DIR: temporary, TMPDIR: temporary }
  const stop = watchProcesses()
  const told: string[] = []
  for (const args of [
    ['plan', 'hello', '--diff'],
    ['plan', 'hello', '--out', '.play/plan.json'],
    ['explain', 'hello', 'here'],
    ['run', 'hello', '--diff'],
    ['run', 'hello', '--output', 'json'],
  ]) {
    const { status, stdout, stderr } = await bin(args, undefined, env)
    expect(status, args.join(' ') + stdout + stderr).toBe(0)
    told.push(stdout, stderr)
  }
  const { text, looks } = stop()
  expect(['told', 'read', 'app.key'].map((name) => readFileSync(join(host, name), 'utf8'))).toEqual([
    canary,
    `user:${canary}`,
    canary,
  ])
  expect(readFileSync(join(host, 'app.conf'), 'utf8')).toContain(`password = ${canary}\n`)
  expect(told.join('')).toMatch(/secret [0-9a-f]{8} 0600 .*→ secret [0-9a-f]{8} 0600/)
  expect(leaksIn(told.join('\n'))).toEqual([])
  expect(looks).toBeGreaterThan(20)
  expect(text).toContain('cli/play.js')
  expect(leaksIn(text)).toEqual([])
  const records = recordsIn(join(folder, '.play'))
  expect(records.text).toContain('app.conf')
  expect(leaksIn(records.text)).toEqual([])
  expect(readdirSync(temporary)).toEqual([loaded])
  const runs = join(folder, '.play/runs')
  const [run] = readdirSync(runs)
    .toSorted()
    .filter((name) => existsSync(join(runs, name, 'journal.jsonl')))
  const undo = await bin(['undo', run!, '--yes', '--rest'], undefined, env)
  expect(leaksIn(undo.stdout + undo.stderr)).toEqual([])
  expect(leaksIn(recordsIn(join(folder, '.play')).text)).toEqual([])
  expect(readFileSync(join(host, 'app.key'), 'utf8'), undo.stdout + undo.stderr).toBe(`old-${canary}`)
  expect(readFileSync(join(host, 'other.conf'), 'utf8')).toBe(`password = ${canary}\n`)
  // What was there before is kept on the host alone, and for its owner alone.
  expect(recordsIn(join(folder, '.state')).open).toEqual([])
})

it.each([
  [
    'a command fails and tells it in every way',
    `  command('login', sh\`p=$(cat); echo "denied: $p" >&2; printf %s "$p" | base64 -w 40 >&2; printf %s "$p" | od -An -tx1 -v | tr -d ' \\n' >&2; echo "$p"; exit 3\`.reading(password)).always(),`,
    2,
  ],
  [
    'a guard fails, and shows what it tested',
    `  file(\`\${host}/app.conf\`).content(secret.text\`password = \${password}\\n\`).guardedBy(configTest('test', sh\`cat \${host}/app.conf >&2; false\`)),`,
    2,
  ],
  [
    'a reaction fails',
    `  file(\`\${host}/x\`).content('x').notify(handler('log in', sh\`cat >&2; false\`.reading(password))),`,
    2,
  ],
  ['a write fails', `  file('/proc/fleetplay').content(password),`, 2],
  ['the play has another mistake', `  file(\`\${host}/app.conf\`).content(password).mode('0644'),`, 4],
  [
    'two tasks want another value',
    `  file(\`\${host}/app.conf\`).content(password), file(\`\${host}/app.conf\`).content(secret.text\`x\${password}\`),`,
    4,
  ],
  ['it is said in a script', `  command('login', sh\`login \${password as never}\`).always(),`, 4],
  ['it is said in a text', `  file(\`\${host}/x\`).content('x' + (password as never)),`, 4],
])('is not told where %s', async (_, tasks, expected) => {
  const { bin, folder } = on(tasks)
  // Mistakes are told as text beside the JSON.
  for (const more of expected === 4 ? [['--output', 'json']] : [['--diff'], ['--output', 'json']]) {
    const { status, stdout, stderr } = await bin(['run', 'hello', ...more])
    expect(status, stdout + stderr).toBe(expected)
    expect(leaksIn(stdout + stderr)).toEqual([])
  }
  // Where nothing was connected to, nothing is on record.
  const records = join(folder, '.play')
  expect(leaksIn(existsSync(records) ? recordsIn(records).text : '')).toEqual([])
})
