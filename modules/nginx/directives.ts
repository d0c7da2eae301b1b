/** Directives of nginx's own language: their words, and what is known to be wrong with some of them. */

import { note, type Refusal, refuse, type Verdict } from '../../dsl/task.ts'
import { holdsSecret } from '../../shell/secret-text.ts'
import { atLeast } from '../software-version.ts'

/** A word, or one of `;`, `{` and `}` where they are none. Quotes are taken off. */
export interface Token {
  readonly text: string
  readonly isMark: boolean
}

/** The first nginx that passes a 103 on. */
export const hintingNginx = '1.29'
/** The first nginx that lets a block keep the headers of those around it. */
export const mergingNginx = '1.29.3'
/** The first nginx whose `http2` is a directive, and which pushes nothing any more. */
export const http2Nginx = '1.25.1'

/** Directives that older ones take for a mistake, for which nginx refuses the whole configuration. */
const since: Readonly<Record<string, string>> = {
  early_hints: hintingNginx,
  add_header_inherit: mergingNginx,
  http2: http2Nginx,
}

/** What is wrong with directives that stand in a block: they must not end it, and must end themselves. */
export function directivesProblem(text: string): string | undefined {
  if (text.split('\n').some(holdsSecret))
    return 'the directives hold a password or token, in a file that all may read; put that line into a file of mode 0600 on the host, and say: include FILE;'
  let depth = 0
  let last: Token = { text: ';', isMark: true }
  for (const token of tokens(text)) {
    if (token.isMark && token.text === '{') depth++
    if (token.isMark && token.text === '}' && --depth < 0) return 'the directives close a block that they did not open'
    last = token
  }
  if (depth > 0) return 'the directives leave a block open'
  if (!last.isMark) return `the directives do not end with a semicolon: ${JSON.stringify(last.text)}`
  return directivesIn(text).map(directiveProblem).find(Boolean)
}

/** What nginx takes without a word, and what then does what nobody means. */
function directiveProblem([name, value = '', ...more]: readonly string[]): string | undefined {
  if (name === 'early_hints' && value === 'off' && more.length === 0)
    return '"early_hints off" switches them on, since any text but 0 does: leave it out, or say "early_hints 0"'
  if (name === 'return' && /^1\d\d$/.test(value))
    return `"return ${value}" ends the answer with it, and no page follows: nginxEarlyHints() sends a 103 before the page`
  return undefined
}

/** What a version of nginx does not know: it would refuse all that it serves for it. */
export function unknownDirective(text: string, nginx: string): Refusal | undefined {
  const [name] = directivesIn(text).find(([each = '']) => !atLeast(nginx, since[each] ?? '0')) ?? []
  if (name === undefined) return undefined
  const hint = name === 'early_hints' ? 'nginxEarlyHints() has a route that works with any nginx: .edge().' : undefined
  return refuse(`nginx ${nginx} does not know ${name} (${since[name]!} and later do).`, hint)
}

/** Directives from which somebody expects what nginx does not do. */
export function idleDirectives(text: string, nginx: string, isProxy: boolean): readonly Verdict[] {
  const names = new Set(directivesIn(text).map(([name]) => name))
  const push = ['http2_push', 'http2_push_preload'].find((name) => names.has(name))
  return [
    ...(names.has('early_hints') && !isProxy
      ? [
          note(
            'early_hints passes on what an HTTP server behind nginx sends, and php-fpm sends no 103: nginxEarlyHints() has routes that do.',
          ),
        ]
      : []),
    ...(push !== undefined && atLeast(nginx, http2Nginx)
      ? [note(`nginx ${nginx} ignores ${push}, and pushes nothing: nginxEarlyHints() tells browsers what to load.`)]
      : []),
  ]
}

/** Whether directives have one of a name, in whatever block. */
export function hasDirective(text: string, name: string): boolean {
  return directivesIn(text).some(([each]) => each === name)
}

/** The words of each directive, in whatever block. */
function directivesIn(text: string): readonly (readonly string[])[] {
  const found: string[][] = [[]]
  for (const { text: word, isMark } of tokens(text)) {
    if (isMark) found.push([])
    else found.at(-1)!.push(word)
  }
  return found.filter((words) => words.length > 0)
}

/** Words and marks in their order, without comments. */
export function tokens(text: string): readonly Token[] {
  const found = text.matchAll(
    /#[^\n]*|"((?:[^"\\]|\\[^])*)"|'((?:[^'\\]|\\[^])*)'|[;{}]|(?:[^\s;{}"'\\]|\\[^])(?:[^\s;{\\]|\\[^]|(?<=\$)\{[^}]*\})*/g,
  )
  return [...found].flatMap(([all, double, single]) => {
    if (all.startsWith('#')) return []
    const quoted = double ?? single
    return [{ text: quoted ?? all, isMark: quoted === undefined && /^[;{}]$/.test(all) }]
  })
}
