import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  fingerprint,
  judgeHostKey,
  keyType,
  knownKeyTypes,
  namesHost,
  parseKnownHosts,
  readKnownHosts,
  trustHostKeys,
} from '../../connection/known-hosts.ts'
import { generateKey, keyBytes } from './ssh-server.ts'

const key = keyBytes(generateKey().public)
const other = keyBytes(generateKey().public)
const line = (hosts: string, bytes = key) => `${hosts} ssh-ed25519 ${bytes.toString('base64')}`
const web1 = { name: 'web1', host: 'web1', port: 22 }

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fleetplay-spec-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

/** The code with which a key is refused, or `good`. */
function verdict(text: string, host: { host: string; port?: number; alias?: string }, shown = key): string {
  return judgeHostKey(parseKnownHosts(text, 'known_hosts'), { name: 'x', port: 22, ...host }, shown)?.code ?? 'good'
}

describe('names', () => {
  it.each([
    ['web1', 'web1', true],
    ['web1', 'web11', false],
    ['WEB1', 'web1', true],
    ['web1,web2', 'web2', true],
    ['web*', 'web12', true],
    ['web?', 'web12', false],
    ['10.0.3.*', '10.0.3.11', true],
    ['10.0.3.*', '10x0.3.11', false],
    ['*.example.com,!bad.example.com', 'good.example.com', true],
    ['*.example.com,!bad.example.com', 'bad.example.com', false],
    ['!bad.example.com', 'good.example.com', false],
    ['[web1]:2222', '[web1]:2222', true],
    ['[*]:2222', '[web1]:2222', true],
    ['[web1]:2222', 'web1', false],
    ['a(b', 'a(b', true],
    ['|1|NotBase64|x', 'web1', false],
    ['|2|c2FsdA==|aGFzaA==', 'web1', false],
  ])('%s and %s: %s', (patterns, name, expected) => {
    expect(namesHost(patterns, name)).toBe(expected)
  })
})

describe('the judgement', () => {
  it('is good for a known key, on its port', () => {
    expect(verdict(line('web1'), { host: 'web1' })).toBe('good')
    expect(verdict(line('web1'), { host: 'WEB1' })).toBe('good')
    expect(verdict(line('[web1]:2222'), { host: 'web1', port: 2222 })).toBe('good')
    expect(verdict(line('[web1]:2222'), { host: 'web1' })).toBe('E_HOST_KEY_UNKNOWN')
  })

  it('falls back to the name without a port for a key that is the same, as ssh does', () => {
    expect(verdict(line('web1'), { host: 'web1', port: 2222 })).toBe('good')
    expect(verdict(line('web1', other), { host: 'web1', port: 2222 })).toBe('E_HOST_KEY_UNKNOWN')
    expect(verdict(`${line('web1')}\n${line('[web1]:2222', other)}`, { host: 'web1', port: 2222 })).toBe(
      'E_HOST_KEY_CHANGED',
    )
  })

  it('takes any of several keys', () => {
    expect(verdict(`${line('web1', other)}\n${line('web1')}`, { host: 'web1' })).toBe('good')
  })

  it('refuses a revoked key, wherever that stands', () => {
    expect(verdict(`${line('web1')}\n@revoked ${line('*')}`, { host: 'web1' })).toBe('E_HOST_KEY_REVOKED')
    expect(verdict(`${line('[web1]:2222')}\n@revoked ${line('web1')}`, { host: 'web1', port: 2222 })).toBe(
      'E_HOST_KEY_REVOKED',
    )
    expect(verdict(`${line('web1')}\n@revoked ${line('*', other)}`, { host: 'web1' })).toBe('good')
  })

  it('never takes the key of a certificate authority for that of a host', () => {
    const text = `@cert-authority ${line('*.example.com')}`
    expect(verdict(text, { host: 'web1.example.com' })).toBe('E_HOST_KEY_UNKNOWN')
    const failure = judgeHostKey(parseKnownHosts(text, 'f'), { name: 'w', host: 'web1.example.com', port: 22 }, other)
    expect(failure?.message).toContain('f:1 trusts a certificate authority')
    expect(failure?.hint).toContain("exec: ['ssh', 'w']")
  })

  it('looks up an alias as it is, without the port', () => {
    expect(verdict(line('fleet'), { host: '10.0.3.11', port: 2222, alias: 'fleet' })).toBe('good')
    expect(verdict(line('10.0.3.11'), { host: '10.0.3.11', alias: 'fleet' })).toBe('E_HOST_KEY_UNKNOWN')
  })

  it('takes a key of another type than the known one for changed: the host was asked for the known one first', () => {
    const ecdsa = Buffer.concat([Buffer.from([0, 0, 0, 19]), Buffer.from('ecdsa-sha2-nistp256'), Buffer.alloc(9)])
    expect(verdict(line('web1'), { host: 'web1' }, ecdsa)).toBe('E_HOST_KEY_CHANGED')
  })

  it('names both keys, the file, the line and the remedy of a changed key', () => {
    const text = `# old\n\n${line("[it's]:2222", other)}`
    const failure = judgeHostKey(parseKnownHosts(text, '/home/o/kn own'), { name: 'w1', host: "it's", port: 2222 }, key)
    expect(failure?.message).toBe(
      `w1 showed the key ssh-ed25519 ${fingerprint(key)}, but known_hosts has ssh-ed25519 ${fingerprint(other)} (/home/o/kn own:3).`,
    )
    expect(failure?.hint).toContain(`ssh-keygen -R '[it'\\''s]:2222' -f '/home/o/kn own', then play trust w1`)
  })

  it('says that a lax setting of ssh_config is not followed', () => {
    const failure = judgeHostKey([], { ...web1, laxity: 'no' }, key)
    expect(failure?.hint).toContain('StrictHostKeyChecking no is not followed')
  })
})

describe('a file', () => {
  it('is read past what is not understood', () => {
    const text = [
      '',
      '# comment',
      'onlyhost',
      'web1 ssh-ed25519 !!!',
      `web1 ssh-rsa ${key.toString('base64')}`,
      `@unheard ${line('web1')}`,
      `\t${line('web1').replaceAll(' ', '\t')} a comment`,
    ].join('\r\n')
    expect(parseKnownHosts(text, 'f')).toEqual([{ marker: undefined, hosts: 'web1', key, file: 'f', line: 7 }])
  })

  it('may be missing', async () => {
    expect(await readKnownHosts([join(folder, 'none')])).toEqual([])
  })

  it('that cannot be read is a failure, not an empty one', async () => {
    await expect(readKnownHosts([folder])).rejects.toMatchObject({ code: 'E_CONNECT' })
  })

  it('orders the types of keys', () => {
    const known = parseKnownHosts(`${line('web1')}\n${line('web2')}\n@revoked ${line('web3')}`, 'f')
    expect(knownKeyTypes(known, web1)).toEqual(['ssh-ed25519'])
    expect(knownKeyTypes(known, { ...web1, host: 'web3' })).toEqual([])
  })

  it('has no key in bytes that are none', () => {
    expect([Buffer.alloc(0), Buffer.from([0, 0, 0, 99, 1]), Buffer.alloc(8)].map(keyType)).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })
})

describe('trust', () => {
  it('makes the folder 0700 and the file 0600, and adds a key once', async () => {
    const file = join(folder, 'home/.ssh/known_hosts')
    expect(await trustHostKeys(file, web1, [key], false)).toBe(1)
    expect(await trustHostKeys(file, web1, [key, other], false)).toBe(1)
    expect(readFileSync(file, 'utf8')).toBe(`${line('web1')}\n${line('web1', other)}\n`)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'home/.ssh')).mode & 0o777).toBe(0o700)
  })

  it('leaves what stands there, and ends its last line', async () => {
    const file = join(folder, 'known_hosts')
    writeFileSync(file, `# mine\n${line('web2')}`)
    await trustHostKeys(file, { ...web1, port: 2222 }, [other], false)
    expect(readFileSync(file, 'utf8')).toBe(`# mine\n${line('web2')}\n${line('[web1]:2222', other)}\n`)
  })

  it('hides names when asked to, each time with another salt', async () => {
    const file = join(folder, 'known_hosts')
    await trustHostKeys(file, web1, [key, other], true)
    const text = readFileSync(file, 'utf8')
    expect(text).not.toContain('web1')
    expect(new Set(text.split('\n').map((one) => one.split('|')[2])).size).toBe(3)
    expect(verdict(text, { host: 'web1' })).toBe('good')
    expect(verdict(text, { host: 'web2' })).toBe('E_HOST_KEY_UNKNOWN')
    expect(await trustHostKeys(file, web1, [key], true)).toBe(0)
  })
})

const there = spawnSync('ssh-keygen', ['-?']).error === undefined

describe.skipIf(!there)('beside ssh-keygen (skipped where it is not installed)', () => {
  const keygen = (...args: readonly string[]) => spawnSync('ssh-keygen', args, { encoding: 'utf8' })

  it('finds what it hashed', () => {
    const file = join(folder, 'known_hosts')
    writeFileSync(file, `${line('web1,10.0.3.11')}\n${line('[web2]:2222', other)}\n`)
    expect(keygen('-H', '-f', file).status).toBe(0)
    const text = readFileSync(file, 'utf8')
    expect(text).not.toContain('web')
    expect(verdict(text, { host: 'web1' })).toBe('good')
    expect(verdict(text, { host: '10.0.3.11' })).toBe('good')
    expect(verdict(text, { host: 'web2', port: 2222 }, other)).toBe('good')
    expect(verdict(text, { host: 'web3' })).toBe('E_HOST_KEY_UNKNOWN')
  })

  it.each(['web1', '[web1]:2222', 'web2', 'a.example.com', 'bad.example.com', '[a.example.com]:22'])(
    'agrees on %s',
    (name) => {
      const file = join(folder, 'known_hosts')
      const text = ['web1', '[web1]:2222,web9', '*.example.com,!bad.example.com', '?eb3'].map((hosts) => line(hosts))
      writeFileSync(file, `${text.join('\n')}\n`)
      const theirs = keygen('-F', name, '-f', file).stdout.match(/line \d+/g) ?? []
      const ours = parseKnownHosts(readFileSync(file, 'utf8'), file).filter(({ hosts }) => namesHost(hosts, name))
      expect(ours.map((entry) => `line ${entry.line}`)).toEqual(theirs)
    },
  )

  it('is understood by it', async () => {
    const file = join(folder, 'known_hosts')
    await trustHostKeys(file, { ...web1, port: 2222 }, [key], true)
    expect(keygen('-F', '[web1]:2222', '-f', file).stdout).toContain(key.toString('base64'))
    expect(keygen('-F', 'web1', '-f', file).status).toBe(1)
  })

  it('prints the same fingerprint', () => {
    mkdirSync(join(folder, 'keys'))
    const file = join(folder, 'keys/id.pub')
    writeFileSync(file, `ssh-ed25519 ${key.toString('base64')}\n`)
    expect(execFileSync('ssh-keygen', ['-lf', file], { encoding: 'utf8' }).split(' ')[1]).toBe(fingerprint(key))
  })
})
