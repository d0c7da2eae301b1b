/** Logging in: which keys and passwords are tried in which order, and what is said where all were refused. */

import { readFile } from 'node:fs/promises'
import { Failure } from '../errors/failure.ts'
import { fingerprint } from './known-hosts.ts'

/** Who logs in, and with what. */
export interface Login {
  readonly user: string
  /** Key files, private or public (then the agent must hold the other half), in the order of their trial. */
  readonly identityFiles: readonly string[]
  /** Offer no key of the agent that `identityFiles` does not name. */
  readonly identitiesOnly: boolean
  /** Socket of the agent. */
  readonly agent?: string | undefined
  /** Unlocks key files; a function is asked once a file, and only when the key is needed. */
  readonly passphrase?: string | ((file: string) => Promise<string | undefined>) | undefined
  readonly password?: string | undefined
}

/** A key as the SSH library has it, as far as we look at it. */
export interface Key {
  readonly type: string
  readonly comment: string
  isPrivateKey(): boolean
  getPublicSSH(): Buffer
}

/** What the SSH library must be able to do. */
export interface KeyReader<K extends Key> {
  parse(text: Buffer, passphrase?: string): K | Error
  agentKeys(socket: string): Promise<readonly K[]>
}

export type Attempt<K extends Key> =
  | { readonly method: 'none' | 'password' | 'keyboard-interactive' }
  | {
      readonly method: 'publickey'
      readonly key: K
      /** The file that it came from; without it the agent has it. */
      readonly file?: string
    }

/** Keys that were read already, for all connections of a run. */
export class KeyCache<K extends Key> {
  readonly agents = new Map<string, Promise<readonly K[] | Error>>()
  readonly files = new Map<string, Promise<K | Error | undefined>>()
  readonly unlocked = new Map<string, Promise<K | Error>>()
}

/** One log-in: hands out the next thing to try, and keeps the list of what was tried. */
export class LoginAttempts<K extends Key> {
  readonly #login: Login
  readonly #reader: KeyReader<K>
  readonly #cache: KeyCache<K>
  readonly #steps: AsyncGenerator<Attempt<K>>
  /** What was tried and refused, and what could not be tried, in a person's words. */
  readonly #told: string[] = []
  #accepted: readonly string[] | undefined

  constructor(login: Login, reader: KeyReader<K>, cache: KeyCache<K>) {
    this.#login = login
    this.#reader = reader
    this.#cache = cache
    this.#steps = this.#plan()
  }

  /**
   * The next thing to try, or undefined where nothing is left.
   *
   * @param accepted the methods that the host would take next; null before the first answer
   * @param partly whether the last one was good, but is not enough alone
   */
  async next(accepted: readonly string[] | null, partly: boolean): Promise<Attempt<K> | undefined> {
    if (accepted) this.#accepted = accepted
    if (partly) this.tell('(that was accepted, but the host asks for more)')
    for (;;) {
      const step = await this.#steps.next()
      if (step.done) return undefined
      // `none` only asks which methods there are.
      if (!accepted || accepted.includes(step.value.method)) {
        if (step.value.method !== 'none') this.tell(describe(step.value))
        return step.value
      }
    }
  }

  tell(words: string): void {
    if (this.#told.at(-1) !== words) this.#told.push(words)
  }

  /** @param where `deploy@web1:22` */
  failure(where: string, said?: string): Failure {
    const accepted = this.#accepted ? ` It would accept ${this.#accepted.join(', ')}.` : ''
    const tried = this.#told.length > 0 ? `Tried: ${this.#told.join('; ')}.` : 'There was nothing to try with.'
    const many = said !== undefined && /too many authentication failures/i.test(said)
    return new Failure('E_AUTH', `${where} refused to log us in${said ? ` («${said}»)` : ''}. ${tried}${accepted}`, {
      hint: many
        ? 'These are more keys than the host lets us try: set IdentitiesOnly yes and IdentityFile for it in ~/.ssh/config.'
        : `Is \`${this.#login.user}\` the right user?${this.#login.password === undefined ? '' : ' Is the password right?'} A key must stand in its ~/.ssh/authorized_keys on the host; name the key with IdentityFile in ~/.ssh/config, or load it with ssh-add.`,
    })
  }

  /** As the OpenSSH client: named keys that the agent holds, its other keys, key files, then passwords. */
  async *#plan(): AsyncGenerator<Attempt<K>> {
    const { agent, identityFiles, identitiesOnly, password } = this.#login
    const held = agent ? await this.#agentKeys(agent) : []
    const files = await Promise.all(identityFiles.map(async (file) => ({ file, key: await this.#publicHalf(file) })))
    const named = (key: K) => files.some((entry) => isSame(entry.key, key))
    let tried = false
    for (const key of [...held.filter(named), ...(identitiesOnly ? [] : held.filter((key) => !named(key)))]) {
      tried = true
      yield { method: 'publickey', key }
    }
    for (const { file, key } of files) {
      if (held.some((other) => isSame(key, other))) continue
      const unlocked = await this.#privateHalf(file)
      if (!unlocked) continue
      tried = true
      yield { method: 'publickey', key: unlocked, file }
    }
    if (password !== undefined) {
      yield { method: 'password' }
      yield { method: 'keyboard-interactive' }
    } else if (!tried) yield { method: 'none' }
  }

  async #agentKeys(socket: string): Promise<readonly K[]> {
    const keys = await once(this.#cache.agents, socket, () =>
      this.#reader.agentKeys(socket).catch((error: unknown) => error as Error),
    )
    if (!(keys instanceof Error)) return keys
    this.tell(`agent ${socket} (does not answer: ${keys.message})`)
    return []
  }

  /** The public key of a file: from the `.pub` beside it where there is one, so that a locked key stays locked. */
  async #publicHalf(file: string): Promise<K | undefined> {
    const key = await once(this.#cache.files, file, async () => {
      for (const path of [`${file}.pub`, file]) {
        const text = await readFile(path).catch(() => undefined)
        if (!text) continue
        const parsed = this.#reader.parse(text)
        if (!(parsed instanceof Error)) return parsed
      }
      return undefined
    })
    return key instanceof Error ? undefined : key
  }

  async #privateHalf(file: string): Promise<K | undefined> {
    const key = await once(this.#cache.unlocked, file, async () => {
      const text = await readFile(file).catch((error: NodeJS.ErrnoException) => error)
      // Default key files mostly do not exist; nobody wants to read of each.
      if (text instanceof Error) return new Error(text.code === 'ENOENT' ? '' : text.message)
      return this.#unlock(file, text)
    })
    if (!(key instanceof Error)) return key
    if (key.message) this.tell(`key ${file} (${key.message})`)
    return undefined
  }

  async #unlock(file: string, text: Buffer): Promise<K | Error> {
    const key = this.#reader.parse(text)
    if (!(key instanceof Error))
      return key.isPrivateKey() ? key : new Error('a public key, and the agent does not hold its private half')
    if (!/encrypted/i.test(key.message)) return new Error(`not understood: ${key.message}`)
    const { passphrase } = this.#login
    const secret = typeof passphrase === 'function' ? await passphrase(file) : passphrase
    if (secret === undefined) return new Error('locked by a passphrase; ssh-add it')
    const opened = this.#reader.parse(text, secret)
    return opened instanceof Error ? new Error('the passphrase does not open it') : opened
  }
}

function once<T>(cache: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const had = cache.get(name)
  if (had) return had
  const made = make()
  cache.set(name, made)
  return made
}

function isSame(one: Key | undefined, other: Key): boolean {
  return one?.getPublicSSH().equals(other.getPublicSSH()) ?? false
}

function describe(attempt: Attempt<Key>): string {
  if (attempt.method !== 'publickey') return attempt.method
  const { key, file } = attempt
  const which = `${key.type} ${fingerprint(key.getPublicSSH())}`
  return file ? `key ${file} (${which})` : `key ${which}${key.comment && ` ${key.comment}`} of the agent`
}
