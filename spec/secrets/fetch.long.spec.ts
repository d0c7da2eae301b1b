/** Where the values of secrets come from, and what is told where one does not come. No host is connected to. */

import { execFile } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { armor, Encrypter, generateIdentity, identityToRecipient } from 'age-encryption'
import { describe, expect, it } from 'vitest'
import { typicalFacts } from '../../dsl/play.ts'
import { type Ended, project } from '../cli/project.ts'
import { canary, leaksIn } from './canary.ts'

const inventory = `import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'
export default inventory(fleet, {
  vars: { domain: 'x.example' },
  groups: { web: { vars: { php: '8.4' } } },
  hosts: { here: { groups: ['web'], carrier: 'local' } },
})
`

/** A play that brings the value of each secret into a file beside it. */
const play = (...secrets: readonly string[]) => `import { file, secret } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
const folder = import.meta.dirname
const secrets = [
${secrets.map((each) => `  ${each},`).join('\n')}
]
export default fleet.play('hello').hosts('web').tasks(secrets.map((each, i) => file(\`\${folder}/\${i}\`).content(each)))
`

function withSecrets(...secrets: readonly string[]) {
  return project({ 'inventory/default.ts': inventory, 'plays/hello.ts': play(...secrets) })
}

/** What was told of mistakes, in one line. */
function told({ status, stdout, stderr }: Ended): string {
  expect(status, stdout + stderr).toBe(4)
  expect(leaksIn(stdout + stderr)).toEqual([])
  return stderr.replaceAll(/\s+/g, ' ')
}

describe('secrets that cannot be had', () => {
  it('are told all at once, each with its line, before any connection', async () => {
    const { bin, write, folder } = withSecrets(
      `secret.env('NOT_THERE')`,
      `secret.env('SHORT_ONE')`,
      `secret.env('EMPTY_ONE')`,
      `secret.file('./missing.age')`,
      `secret.command(['no-such-program-here', 'read'])`,
      `secret.command(['sh', '-c', 'printf "sealed; %s" "$CANARY" >&2; printf %s "$CANARY"; exit 3'])`,
      `secret.command(['printf', '\\\\377\\\\376binary'])`,
      `secret.text\`x \${secret.env('NOT_THERE_TOO')}\``,
      `secret.env('CANARY')`,
    )
    write('inventory/default.ts', inventory.replace("'local'", "{ exec: ['touch', 'connected'] }"))
    const env = { SHORT_ONE: 'abc4567', EMPTY_ONE: '', CANARY: canary }
    const ended = await bin(['run', 'hello', '--output', 'json'], undefined, env)
    const text = told(ended)
    expect(text).toContain('8 mistakes; nothing was connected to')
    for (const [name, said, line] of [
      [`secret.env('NOT_THERE')`, 'There is no environment variable NOT_THERE.', 5],
      [`secret.env('SHORT_ONE')`, 'It has fewer than 8 characters. plays/hello.ts:6', 6],
      [`secret.env('EMPTY_ONE')`, 'EMPTY_ONE is empty.', 7],
      [`secret.file('./missing.age')`, `There is no file ${folder}/plays/missing.age.`, 8],
      [`secret.command(['no-such-program-here', 'read'])`, 'There is no program no-such-program-here here.', 9],
      [`secret.command(['sh', '-c'`, 'sh failed.', 10],
      [`secret.command(['printf'`, 'It is no text of UTF-8.', 11],
      [`secret.env('NOT_THERE_TOO')`, 'There is no environment variable NOT_THERE_TOO.', 12],
    ] as const) {
      expect(text).toContain(name)
      expect(text).toContain(said)
      expect(text).toContain(`plays/hello.ts:${line}:`)
    }
    expect(text).toContain('sealed; (secret)')
    expect(text).not.toContain('abc4567')
    expect(JSON.parse(ended.stdout)).toMatchObject({
      type: 'mistakes',
      failures: { length: 8, 0: { code: 'E_SECRET' } },
    })
  })

  it('are not asked for by play list, nor for a fleet that is simulated', async () => {
    const simulated = inventory.replace("'local'", '{ simulated: {} }')
    const { bin, write } = withSecrets(`secret.env('NOT_THERE')`)
    write('inventory/sandbox.ts', simulated)
    for (const args of [
      ['list', 'hello'],
      ['run', 'hello', '-i', 'sandbox', '--diff'],
    ]) {
      const { status, stdout, stderr } = await bin(args)
      expect(status, stderr).toBe(0)
      expect(stdout).not.toContain('standin')
    }
  })

  it('are refused where only the facts of a host lead to them: nobody could tell before', async () => {
    const { bin, write, folder } = withSecrets()
    write(
      'plays/hello.ts',
      `import { file, secret } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
export default fleet.play('hello').hosts('web').tasks(({ facts }) => [
  file('${folder}/never-written').content(secret.env(\`K\${facts.kernel.replaceAll(/\\W/g, '_')}\`)),
])
`,
    )
    const known = `K${typicalFacts.kernel.replaceAll(/\W/g, '_')}`
    const { status, stdout, stderr } = await bin(['run', 'hello'], undefined, { [known]: canary })
    expect([status, leaksIn(stdout + stderr), existsSync(join(folder, 'never-written'))]).toEqual([2, [], false])
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('is said only where facts of the host are known')
  })
})

describe('secrets', () => {
  it('come from the environment, commands and age files, armored and binary, and are what they are', async () => {
    const { bin, folder } = withSecrets(
      `secret.env('CANARY')`,
      `secret.command(['sh', '-c', 'echo "$CANARY-command"'])`,
      `secret.file('./armored.age')`,
      `secret.file('./binary.age')`,
      `secret.text\`[client]\\npassword=\${secret.env('CANARY')}\\n\``,
    )
    const identity = await generateIdentity()
    const encrypter = new Encrypter()
    encrypter.addRecipient(await identityToRecipient(identity))
    const age = async (text: string) => encrypter.encrypt(text)
    writeFileSync(join(folder, 'plays/armored.age'), armor.encode(await age(`${canary}-armored\n`)))
    writeFileSync(join(folder, 'plays/binary.age'), await age(`${canary}\n\n`))
    writeFileSync(join(folder, 'keys.txt'), `# created: 2026\n# public key: x\n${identity}\n`)
    const env = { CANARY: canary, FLEETPLAY_AGE_IDENTITY: join(folder, 'keys.txt') }
    const ended = await bin(['run', 'hello', '--diff'], undefined, env)
    expect(ended.status, ended.stdout + ended.stderr).toBe(0)
    expect(leaksIn(ended.stdout + ended.stderr)).toEqual([])
    expect([0, 1, 2, 3, 4].map((i) => read(join(folder, 'plays', String(i))))).toEqual([
      `100600 ${canary}`,
      `100600 ${canary}-command`,
      `100600 ${canary}-armored`,
      `100600 ${canary}\n`,
      `100600 [client]\npassword=${canary}\n`,
    ])
    const ssh = join(folder, 'ssh')
    writeFileSync(ssh, '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n')
    const [itself, another, none, foreign] = await fetched(
      ['plays/armored.age', 'plays/binary.age'].map((path) => join(folder, path)),
      // The identity itself, for a pipeline that has it in a variable.
      { FLEETPLAY_AGE_IDENTITY: identity },
      { FLEETPLAY_AGE_IDENTITY: await generateIdentity() },
      { HOME: folder },
      { FLEETPLAY_AGE_IDENTITY: ssh },
    )
    expect(itself).toEqual({ values: [`${canary}-armored`, `${canary}\n`] })
    expect(another?.mistakes).toHaveLength(2)
    for (const mistake of another!.mistakes!)
      expect(mistake).toEqual({
        code: 'E_SECRET',
        message: expect.stringContaining('could not be decrypted by $FLEETPLAY_AGE_IDENTITY'),
        hint: expect.stringMatching(/age -r age1\w+ -o/),
      })
    expect(none?.mistakes?.[0]?.message).toContain(
      `There is no age identity to decrypt it with: ${folder}/.config/fleetplay/age-identity.txt`,
    )
    expect(foreign?.mistakes?.[0]?.message).toContain('is no file of age identities')
    expect(leaksIn(JSON.stringify([another, none, foreign]))).toEqual([])
  })
})

interface Fetched {
  readonly values?: readonly string[]
  readonly mistakes?: readonly { readonly code: string; readonly message: string; readonly hint: string }[]
}

/** What comes of secrets in files by each environment. */
async function fetched(paths: readonly string[], ...environments: readonly object[]): Promise<readonly Fetched[]> {
  const script = join(import.meta.dirname, 'fetch-alone.js')
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify({ paths, environments })])
  return JSON.parse(stdout) as readonly Fetched[]
}

function read(path: string): string {
  return `${statSync(path).mode.toString(8)} ${readFileSync(path, 'utf8')}`
}
