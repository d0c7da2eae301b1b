/** Secrets of a play: where their values are kept, said as values. */

import { dirname, isAbsolute, join } from 'node:path'
import { Failure } from '../errors/failure.ts'
import { declareSecret, isSecret, type Secret, secretLabel } from '../shell/secret.ts'
import { Origin } from './origin.ts'

export type { Secret }

/**
 * Values that nobody should read: a play says where each is kept, and holds a `Secret`, which is taken where a module has a
 * place for it and nowhere else. It cannot become a part of a text (a compile error; at run time it throws), and its value is
 * covered in whatever is told of a run, encoded and quoted forms too.
 *
 * The values are fetched once a run, side by side, before any connection. One that is missing, cannot be decrypted or has fewer
 * than eight characters is told then, with the line that says it. `play check`, `play list`, mock hosts and a fleet that is
 * only simulated need none: they have stand-ins.
 *
 * @example
 * const password = secret.env('DB_PASSWORD')
 * wpConfig('/srv/www/wp-config.php').define('DB_PASSWORD', password)
 * file('/root/.my.cnf').content(secret.text`[client]\npassword=${password}\n`)
 */
export const secret = {
  /**
   * The value of an environment variable of `play`.
   *
   * @example
   * secret.env('DB_PASSWORD')
   */
  env(variable: string): Secret {
    const name = `secret.env(${shown(variable)})`
    if (!/^[A-Za-z_]\w*$/.test(variable)) throw wrong(`${name}: this is no name of an environment variable`)
    return declareSecret({ kind: 'env', variable }, name, Origin.here())
  },

  /**
   * What an age-encrypted file holds, armored or binary; its path is relative to the file that says it. A newline at its end is cut.
   * It is decrypted with the identity that `$FLEETPLAY_AGE_IDENTITY` is or names; without it those of
   * `~/.config/fleetplay/age-identity.txt`, else of `~/.config/sops/age/keys.txt`. Passphrases and ssh keys are not taken.
   *
   * @example
   * secret.file('./secrets/db-password.age')
   * @see https://age-encryption.org
   */
  file(path: string): Secret {
    const here = Origin.here()
    const folder = here.place && dirname(here.place.file)
    const source = { kind: 'file', path: isAbsolute(path) || !folder ? path : join(folder, path) } as const
    if (path === '') throw wrong('secret.file: the path is empty')
    return declareSecret(source, `secret.file(${shown(path)})`, here)
  },

  /**
   * What a local command writes: 1Password, Vault, sops, pass. It is run without a shell, in the folder where `play` is, with no standard
   * input; a newline at the end of what it writes is cut.
   *
   * @example
   * secret.command(['op', 'read', 'op://infra/db/password'])
   * secret.command(['sops', 'decrypt', '--extract', '["db"]["password"]', 'secrets/production.yaml'])
   */
  command(words: readonly [program: string, ...words: string[]]): Secret {
    const name = `secret.command([${words.map(shown).join(', ')}])`
    const problem =
      !words[0] || words.some((word) => typeof word !== 'string' || word.includes('\0'))
        ? `${name}: this is no command: a list of its words`
        : undefined
    if (problem) throw wrong(problem)
    return declareSecret({ kind: 'command', words: [...words] }, name, Origin.here())
  },

  /**
   * A text with secrets in it, itself a secret.
   *
   * @example
   * secret.text`requirepass ${password}\n`
   */
  text(strings: TemplateStringsArray, ...holes: readonly (string | number | Secret)[]): Secret {
    const plain = [strings[0]!]
    const secrets: Secret[] = []
    for (const [i, hole] of holes.entries()) {
      const after = strings[i + 1]!
      if (isSecret(hole)) {
        secrets.push(hole)
        plain.push(after)
      } else if (typeof hole === 'symbol') throw wrong('secret.text: a symbol that is no secret')
      else plain[plain.length - 1] += String(hole) + after
    }
    if (secrets.length === 0) {
      throw wrong(
        'secret.text has no secret in it',
        'What stands in a play is no secret: fetch it with secret.env(), secret.file() or secret.command().',
      )
    }
    const name = `secret.text of ${[...new Set(secrets.map(secretLabel))].join(' and ')}`
    return declareSecret({ kind: 'text', plain, secrets }, name, Origin.here())
  },
} as const

function shown(word: string): string {
  return typeof word === 'string' ? `'${word}'` : String(word)
}

function wrong(problem: string, hint?: string): Failure {
  return new Failure('E_PLAY_INVALID', `${problem}.`, { place: Origin.here().place, hint })
}
