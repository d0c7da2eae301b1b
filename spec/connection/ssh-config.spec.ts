import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type HostQuestion,
  jumpOf,
  parseAnswer,
  type ResolverOptions,
  sshResolver,
} from '../../connection/ssh-config.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fleetplay-spec-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

/** Resolves over a configuration without the OpenSSH client. */
function resolve(text: string, question: HostQuestion, options: ResolverOptions = {}) {
  return sshResolver({ configFile: file('config', text), ssh: false, env: {}, ...options }).resolve(question)
}

describe('without any configuration', () => {
  it('has the defaults of ssh, and starts no process', async () => {
    const none = sshResolver({
      configFile: file('config', '# empty\n'),
      ssh: '/nowhere/ssh',
      env: { SSH_AUTH_SOCK: '/a' },
    })
    const home = homedir()
    expect(await none.resolve({ host: 'web1' })).toEqual({
      name: 'web1',
      host: 'web1',
      port: 22,
      user: userInfo().username,
      identityFiles: ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(home, '.ssh', name)),
      identitiesOnly: false,
      agent: '/a',
      jumps: [],
      knownHostsFiles: [
        join(home, '.ssh/known_hosts'),
        join(home, '.ssh/known_hosts2'),
        '/etc/ssh/ssh_known_hosts',
        '/etc/ssh/ssh_known_hosts2',
      ],
      hostKeyAlias: undefined,
      laxity: undefined,
      family: undefined,
      connectTimeout: 10,
      onlyOpenSsh: [],
      trustFile: join(home, '.ssh/known_hosts'),
      hashKnownHosts: false,
    })
  })

  it('refuses a configuration file that is not there', async () => {
    const resolver = sshResolver({ configFile: join(folder, 'none') })
    await expect(resolver.resolve({ host: 'web1' })).rejects.toMatchObject({ code: 'E_OPTION' })
  })

  it.each(['-oProxyCommand=x', '', 'a b', 'a\nb'])('refuses %j, which is no host', async (host) => {
    await expect(resolve('', { host })).rejects.toMatchObject({ code: 'E_INVENTORY_INVALID' })
  })
})

describe('what the inventory says', () => {
  it('goes before the configuration', async () => {
    const text = 'Host *\n  User root\n  Port 1\n  ProxyJump bastion\n  IdentityFile ~/x\n  UserKnownHostsFile /k\n'
    const target = await resolve(text, {
      host: '10.0.0.1',
      name: 'web1',
      user: 'deploy',
      port: 2222,
      jump: 'none',
      privateKey: '~/keys/deploy',
      knownHosts: '/my hosts',
    })
    expect(target).toMatchObject({ name: 'web1', host: '10.0.0.1', user: 'deploy', port: 2222, jumps: [] })
    expect(target).toMatchObject({ identityFiles: [join(homedir(), 'keys/deploy')], identitiesOnly: true })
    expect(target.knownHostsFiles[0]).toBe('/my hosts')
    expect(target.trustFile).toBe('/my hosts')
  })
})

describe('settings', () => {
  it('that only the OpenSSH client can do are named', async () => {
    const text = 'Host *\n  ProxyCommand nc %h %p\n  CertificateFile ~/c\n  RevokedHostKeys none\n'
    expect((await resolve(text, { host: 'web1' })).onlyOpenSsh).toEqual(['ProxyCommand', 'CertificateFile'])
  })

  it('of trust are kept, but never followed below verifying', async () => {
    const lax = await resolve('StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nGlobalKnownHostsFile none\n', {
      host: 'web1',
    })
    expect(lax).toMatchObject({ laxity: 'no', knownHostsFiles: [], trustFile: undefined })
    expect((await resolve('StrictHostKeyChecking ask', { host: 'web1' })).laxity).toBeUndefined()
  })

  it('of the agent', async () => {
    const agent = async (text: string) =>
      (await resolve(text, { host: 'web1' }, { env: { SSH_AUTH_SOCK: '/sock', MINE: '/mine' } })).agent
    expect(await agent('')).toBe('/sock')
    expect(await agent('IdentityAgent none')).toBeUndefined()
    expect(await agent('IdentityAgent SSH_AUTH_SOCK')).toBe('/sock')
    expect(await agent('IdentityAgent $MINE')).toBe('/mine')
    expect(await agent('IdentityAgent ~/agent-%h')).toBe(join(homedir(), 'agent-web1'))
  })

  it('that match on a command are refused without the client', async () => {
    await expect(resolve('Match exec "true"\n  User x\n', { host: 'web1' })).rejects.toMatchObject({
      code: 'E_CONNECT',
      hint: expect.stringContaining('Install the OpenSSH client') as string,
    })
  })
})

describe('jump hosts', () => {
  it.each([
    ['bastion', { host: 'bastion' }],
    ['me@bastion:2200', { host: 'bastion', user: 'me', port: 2200 }],
    ['[::1]:33', { host: '::1', port: 33 }],
    ['ssh://me@bastion:2200/', { host: 'bastion', user: 'me', port: 2200 }],
  ])('%s', (text, expected) => {
    expect(jumpOf(text)).toEqual({ user: undefined, port: undefined, ...expected })
  })

  it('are resolved themselves; only the first one has jump hosts of its own', async () => {
    const text = [
      'Host inner\n  ProxyJump me@near:2200,far',
      'Host near\n  HostName 10.0.0.1\n  ProxyJump outer',
      'Host far\n  HostName 10.0.0.2\n  ProxyJump nowhere',
      'Host outer\n  User out',
    ].join('\n')
    const { jumps } = await resolve(text, { host: 'inner' })
    expect(jumps.map(({ name, host, port, user }) => [name, host, port, user])).toEqual([
      ['outer', 'outer', 22, 'out'],
      ['near', '10.0.0.1', 2200, 'me'],
      ['far', '10.0.0.2', 22, userInfo().username],
    ])
  })

  it('are reached directly where the line is meant for every host', async () => {
    const { jumps } = await resolve('Host *\n  ProxyJump bastion\n', { host: 'web1' })
    expect(jumps.map(({ name, jumps: further }) => [name, further.length])).toEqual([['bastion', 0]])
    expect((await resolve('Host *\n  ProxyJump bastion\n', { host: 'bastion' })).jumps).toEqual([])
  })

  it('that go on for ever are told', async () => {
    await expect(resolve('Host *\n  ProxyJump x%h\n', { host: 'web1' })).rejects.toMatchObject({
      message: expect.stringContaining('circle') as string,
    })
  })
})

const there = spawnSync('ssh', ['-V']).error === undefined

describe.skipIf(!there)('beside ssh -G (skipped where ssh is not installed)', () => {
  const config = () => {
    file('more/10-web.conf', 'Host web9\n  Port 99\nHost *\n  ConnectTimeout 3\n')
    file('more/20.conf', 'ServerAliveInterval 5\nUser included\n')
    file('nested.conf', 'Host web1\n  Port 11\nHost web2\n  Port 12\n')
    return [
      '# a comment, and keywords in any case',
      'HOST web1 web2 !web2',
      '  hostname=%h.example.com',
      '  Port = 2222',
      '  IdentityFile "~/my keys/%r@%h"',
      '  IdentityFile ~/.ssh/second',
      'Host web? !web3',
      `  Include ${folder}/nested.conf`,
      '  User webber',
      '  Port 7',
      'Host 10.*',
      '  IdentitiesOnly yes',
      '  HostKeyAlias fleet',
      '  HashKnownHosts yes',
      '  AddressFamily inet',
      'Match host *.example.com user root',
      '  ConnectTimeout 4',
      '  StrictHostKeyChecking accept-new',
      'Match originalhost far !user root',
      '  ProxyJump a@b:3,[::1]:44',
      '  ProxyCommand never %h',
      'Match all',
      `  Include ${folder}/more/*.conf`,
      '  UserKnownHostsFile ~/.ssh/kh-%h /tmp/kh2',
      '',
    ].join('\n')
  }

  it.each<HostQuestion>([
    { host: 'web1' },
    { host: 'web1', user: 'root' },
    { host: 'web2' },
    { host: 'web3', port: 5 },
    { host: 'web9' },
    { host: '10.1.2.3', user: 'root' },
    { host: 'far', user: 'bob' },
    { host: 'far', user: 'root' },
    { host: 'far', user: 'bob', jump: 'none' },
  ])('the files are read alike for %o', async (question) => {
    const configFile = file('config', config())
    const theirs = await sshResolver({ configFile, env: {} }).resolve(question)
    const ours = await sshResolver({ configFile, env: {}, ssh: false }).resolve(question)
    expect(withoutDefaults(ours)).toEqual(withoutDefaults(theirs))
  })

  /** ssh tries more key files unless told: those of hardware and of types that are gone. */
  function withoutDefaults<T extends { identityFiles: readonly string[]; jumps: readonly T[] } | object>(target: T): T {
    const { identityFiles, jumps, ...rest } = target as { identityFiles: readonly string[]; jumps: readonly T[] }
    const named = identityFiles.filter((path) => !/\.ssh\/id_/.test(path))
    return { ...rest, identityFiles: named, jumps: jumps.map((jump) => withoutDefaults(jump)) } as T
  }

  /** An `ssh` that writes down its calls. */
  function countingSsh() {
    const log = join(folder, 'calls')
    const ssh = file('ssh', `#!/bin/sh\necho "$*" >>'${log}'\nexec ssh "$@"\n`)
    chmodSync(ssh, 0o755)
    return { ssh, calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []) }
  }

  it('hosts that the configuration treats alike are asked for once', async () => {
    const { ssh, calls } = countingSsh()
    const configFile = file('config', 'Host db*\n  Port 33\nHost *\n  User fleet\n  ProxyJump bastion\n')
    const resolver = sshResolver({ configFile, ssh, env: {} })
    const hosts = Array.from({ length: 500 }, (_, i) => (i % 2 ? `db${i}` : `10.0.0.${i}`))
    const targets = await Promise.all(hosts.map((host) => resolver.resolve({ host })))
    expect(targets.map(({ host }) => host)).toEqual(hosts)
    expect(targets.every(({ port }, i) => port === (i % 2 ? 33 : 22))).toBe(true)
    expect(targets.every(({ user, jumps }) => user === 'fleet' && jumps[0]?.host === 'bastion')).toBe(true)
    expect(calls()).toHaveLength(2)
  })

  it('each host is asked for where the configuration looks at its name', async () => {
    for (const text of ['Host *\n  HostName %h.lan\n', 'Match host a*\n  Port 3\n', 'Host *\n  IdentityFile ~/%n\n']) {
      const { ssh, calls } = countingSsh()
      const resolver = sshResolver({ configFile: file('config', text), ssh, env: {} })
      await Promise.all(['a1', 'b1'].map((host) => resolver.resolve({ host })))
      expect(calls()).toHaveLength(2)
      rmSync(join(folder, 'calls'))
    }
  })

  it('flags go before the files, and Match sees them', async () => {
    const { ssh, calls } = countingSsh()
    const configFile = file('config', 'Match user root\n  Port 9\nMatch all\n  User nobody\n')
    const target = await sshResolver({ configFile, ssh, env: {} }).resolve({ host: 'web1', user: 'root', jump: 'j:1' })
    expect(target).toMatchObject({ user: 'root', port: 9, jumps: [{ host: 'j', port: 1 }] })
    expect(calls()[0]).toBe(`-F ${configFile} -l root -o ProxyJump=j:1 -G -- web1`)
  })

  it('a mistake in the files is told in its own words', async () => {
    const configFile = file('config', 'Host *\n  Prot 22\n')
    await expect(sshResolver({ configFile, env: {} }).resolve({ host: 'web1' })).rejects.toMatchObject({
      code: 'E_CONNECT',
      seen: { status: 255, output: expect.stringContaining('Bad configuration option: prot') as string },
    })
  })

  it('files are read where there is no such client', async () => {
    const configFile = file('config', 'Host web1\n  Port 77\n')
    const resolver = sshResolver({ configFile, ssh: join(folder, 'no-ssh'), env: {} })
    expect(await resolver.resolve({ host: 'web1' })).toMatchObject({ port: 77 })
  })
})

describe('the answer of ssh -G', () => {
  it('keeps values that gather', () => {
    const settings = parseAnswer('user root\nidentityfile ~/a b\nidentityfile ~/c\ncanonicalizePermittedcnames none\n')
    expect([...settings]).toEqual([
      ['user', ['root']],
      ['identityfile', ['~/a b', '~/c']],
      ['canonicalizepermittedcnames', ['none']],
    ])
  })
})
