/** What the user's ssh_config says of a host: asked of `ssh -G`, or read from the files where there is no `ssh`. */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir, hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { Failure } from '../errors/failure.ts'
import type { SshTarget } from './ssh-target.ts'
import { evaluate, type Question, readConfigFiles, sameness, type Section, type Settings } from './ssh-config-files.ts'

export interface ResolverOptions {
  /** A configuration file that stands for the user's and the system's, as `ssh -F`. */
  readonly configFile?: string | undefined
  /** The OpenSSH client: a command, or false to do without. `ssh` unless told. */
  readonly ssh?: string | false | undefined
  /** How many clients run side by side. 8 unless told. */
  readonly concurrency?: number | undefined
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  readonly home?: string | undefined
}

/** What the inventory says itself; it goes before the configuration, as flags of `ssh` do. */
export interface HostQuestion extends Question {
  /** What a person calls the host, where that is not what `ssh` is told. */
  readonly name?: string | undefined
  /** The only key to log in with. */
  readonly privateKey?: string | undefined
  /** Stands for the user's own known_hosts files. */
  readonly knownHosts?: string | undefined
}

export interface ResolvedTarget extends SshTarget {
  /** Where a key that a person trusts is written; undefined where the configuration keeps none. */
  readonly trustFile: string | undefined
  readonly hashKnownHosts: boolean
}

export interface SshResolver {
  resolve(question: HostQuestion): Promise<ResolvedTarget>
}

const defaultConnectTimeout = 10
const defaultKnownHosts = '~/.ssh/known_hosts ~/.ssh/known_hosts2'
const defaultIdentities = ['~/.ssh/id_ed25519', '~/.ssh/id_ecdsa', '~/.ssh/id_rsa']
/** Jump hosts before jump hosts: further than anybody goes, so it is a circle. */
const longestPath = 8

/**
 * Resolves hosts as `ssh HOST` would. Hosts that the configuration treats alike are asked for once, and without any
 * configuration nothing is asked at all: a thousand hosts do not cost a thousand processes of 8 ms.
 *
 * @example
 * const target = await sshResolver().resolve({ host: 'web1', user: 'deploy' })
 */
export function sshResolver(options: ResolverOptions = {}): SshResolver {
  const { configFile, home = homedir(), env = process.env } = options
  const files = configFile ? [configFile] : [join(home, '.ssh/config'), '/etc/ssh/ssh_config']
  const limit = pLimit(options.concurrency ?? 8)
  const answers = new Map<string, Promise<Settings>>()
  let sections: Promise<readonly Section[]> | undefined
  let client = options.ssh ?? 'ssh'

  async function settingsOf(question: Question): Promise<Settings> {
    if (configFile && !existsSync(configFile))
      throw new Failure('E_OPTION', `There is no ssh_config file ${configFile}.`)
    sections ??= readConfigFiles(files, home)
    const read = await sections
    const same = sameness(read, question.host)
    const key = JSON.stringify([same ?? `host ${question.host}`, question.user, question.port, question.jump])
    const answer = answers.get(key) ?? limit(() => ask(read, question))
    answers.set(key, answer)
    const settings = await answer
    return same === undefined ? settings : new Map([...settings, ['hostname', [question.host]]])
  }

  async function ask(read: readonly Section[], question: Question): Promise<Settings> {
    if (read.length > 0 && client !== false) {
      const said = await askClient(client, configFile, question)
      if (said) return said
      client = false
    }
    return evaluate(read, question)
  }

  async function resolve(question: HostQuestion, before: readonly string[] = []): Promise<ResolvedTarget> {
    if (!/^[^-\s\0][^\s\0]*$/.test(question.host))
      throw new Failure('E_INVENTORY_INVALID', `${JSON.stringify(question.host)} is not the name of a host.`)
    if (before.length > longestPath)
      throw new Failure('E_CONNECT', `ProxyJump goes round in a circle: ${[...before, question.host].join(' → ')}`)
    const settings = await settingsOf(question)
    const target = targetOf(settings, question, home, env)
    const jump = settings.get('proxyjump')?.[0] ?? 'none'
    const hops = jump === 'none' ? [] : jump.split(',').map((hop) => jumpOf(target.tokens(hop.trim())))
    // A jump host to which its own `Host *` applies is reached directly.
    if (hops.some((hop) => before.includes(hop.host) || hop.host === question.host)) return target.value
    const [first, ...others] = hops
    if (!first) return target.value
    const nearest = await resolve(first, [...before, question.host])
    // As the OpenSSH client: only the first one's own ProxyJump counts.
    const further = await Promise.all(
      others.map((hop) => settingsOf(hop).then((its) => targetOf(its, hop, home, env).value)),
    )
    return { ...target.value, jumps: [...nearest.jumps, nearest, ...further] }
  }

  return { resolve: (question) => resolve(question) }
}

/** Asks `ssh -G`; undefined where there is no such client. */
function askClient(client: string, configFile: string | undefined, question: Question): Promise<Settings | undefined> {
  const args = [
    ...(configFile ? ['-F', configFile] : []),
    ...(question.user === undefined ? [] : ['-l', question.user]),
    ...(question.port === undefined ? [] : ['-p', String(question.port)]),
    ...(question.jump === undefined ? [] : ['-o', `ProxyJump=${question.jump}`]),
    '-G',
    '--',
    question.host,
  ]
  return new Promise((resolve, reject) => {
    const child = execFile(client, args, { timeout: 30_000, maxBuffer: 1 << 20 }, (error, stdout, stderr) => {
      if (!error) return resolve(parseAnswer(stdout))
      if (error.code === 'ENOENT') return resolve(undefined)
      const seen = {
        command: [client, ...args].join(' '),
        status: typeof error.code === 'number' ? error.code : undefined,
        output: stderr.trim(),
      }
      reject(
        new Failure('E_CONNECT', `ssh_config cannot be resolved for ${question.host}.`, {
          seen,
          hint: 'Correct the ssh_config file that is named there.',
          cause: error,
        }),
      )
    })
    child.stdin?.end()
  })
}

/** One `keyword value` a line; keywords that gather stand on several. */
export function parseAnswer(text: string): Settings {
  const settings = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    if (space < 0) continue
    const keyword = line.slice(0, space).toLowerCase()
    const value = line.slice(space + 1).trim()
    const had = settings.get(keyword)
    if (had) had.push(value)
    else settings.set(keyword, [value])
  }
  return settings
}

function targetOf(
  settings: Settings,
  question: HostQuestion,
  home: string,
  env: Readonly<Record<string, string | undefined>>,
): { readonly value: ResolvedTarget; readonly tokens: (text: string) => string } {
  const first = (keyword: string) => {
    const value = settings.get(keyword)?.[0]
    return value === undefined || value.toLowerCase() === 'none' ? undefined : value
  }
  const host = (first('hostname') ?? question.host).replaceAll(/%([%h])/g, (_, sign) =>
    sign === '%' ? '%' : question.host,
  )
  const port = question.port ?? Number(first('port') ?? 22)
  const local = userInfo()
  const user = question.user ?? first('user') ?? local.username
  const alias = first('hostkeyalias')
  const values: Readonly<Record<string, string>> = {
    '%': '%',
    d: home,
    h: host,
    i: String(local.uid),
    k: alias ?? question.host,
    L: hostname().split('.')[0]!,
    l: hostname(),
    n: question.host,
    p: String(port),
    r: user,
    u: local.username,
  }
  const tokens = (text: string) => text.replaceAll(/%(.)/g, (whole, sign: string) => values[sign] ?? whole)
  const path = (text: string) =>
    tokens(text.replace(/^~(?=\/|$)/, home)).replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => env[name] ?? whole)
  const paths = (text: string | undefined) => text?.split(/\s+/).map(path) ?? []
  const own = (
    question.knownHosts === undefined
      ? paths(settings.get('userknownhostsfile')?.[0] ?? defaultKnownHosts)
      : [path(question.knownHosts)]
  ).filter(isFile)
  const strict = first('stricthostkeychecking')?.toLowerCase()
  const value: ResolvedTarget = {
    name: question.name ?? question.host,
    host,
    port,
    user,
    identityFiles: (question.privateKey ? [question.privateKey] : (settings.get('identityfile') ?? defaultIdentities))
      .filter((file) => file !== 'none')
      .map(path),
    identitiesOnly: question.privateKey !== undefined || first('identitiesonly') === 'yes',
    agent: agentOf(settings.get('identityagent')?.[0], path, env),
    jumps: [],
    knownHostsFiles: [
      ...own,
      ...paths(
        settings.get('globalknownhostsfile')?.[0] ?? '/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2',
      ).filter(isFile),
    ],
    hostKeyAlias: alias,
    laxity: strict && ['no', 'off', 'false', 'accept-new'].includes(strict) ? strict : undefined,
    family: ({ inet: 4, inet6: 6 } as const)[first('addressfamily') ?? ''],
    connectTimeout: Number(first('connecttimeout')) || defaultConnectTimeout,
    onlyOpenSsh: onlyOpenSsh.filter((keyword) => first(keyword.toLowerCase()) !== undefined),
    trustFile: own[0],
    hashKnownHosts: first('hashknownhosts') === 'yes',
  }
  return { value, tokens }
}

const onlyOpenSsh = [
  'ProxyCommand',
  'CertificateFile',
  'KnownHostsCommand',
  'RevokedHostKeys',
  'PKCS11Provider',
  'BindAddress',
  'BindInterface',
]

function isFile(path: string): boolean {
  return path !== 'none' && path !== '/dev/null'
}

function agentOf(
  setting: string | undefined,
  path: (text: string) => string,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (setting === undefined || setting === 'SSH_AUTH_SOCK') return env.SSH_AUTH_SOCK || undefined
  if (setting === 'none') return undefined
  return setting.startsWith('$') && !setting.startsWith('${') ? env[setting.slice(1)] : path(setting)
}

/** `[user@]host[:port]` or `ssh://[user@]host[:port]`; an IPv6 address stands in brackets. */
export function jumpOf(text: string): Question {
  const match = /^(?:ssh:\/\/)?(?:(?<user>[^@]+)@)?(?:\[(?<six>[^\]]+)\]|(?<name>[^:/]+))(?::(?<port>\d+))?\/?$/.exec(
    text,
  )
  const { user, six, name, port } = match?.groups ?? {}
  const host = six ?? name
  if (!host)
    throw new Failure('E_CONNECT', `ProxyJump cannot be understood: ${JSON.stringify(text)}`, {
      hint: 'Write [user@]host[:port], with commas between several.',
    })
  return { host, user, port: port === undefined ? undefined : Number(port) }
}
