/** redis.conf: directives edited in their lines, with the server's own rules of which line counts. */

import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import type { FileState } from '../../probe/file.ts'
import { Probe, unparsable } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'
import { covered } from '../../shell/secret-text.ts'
import { editedFile, endOf, linesOf, type TextLine, textOf } from '../text-file.ts'
import { canonical, limitsIn, namesOf, type Setting } from './directives.ts'

/** A line of a file that redis.conf includes. */
export interface IncludedLine {
  /** Which `include` of redis.conf leads to it, from 1. */
  readonly include: number
  readonly file: string
  readonly line: number
  readonly text: string
}

/** Where a directive stands in a file, from line 1. */
export interface Found {
  readonly line: number
  readonly value: string
}

/** The file as Debian installs it, shortened. */
const debian = `bind 127.0.0.1 -::1
protected-mode yes
port 6379
tcp-backlog 511
timeout 0
tcp-keepalive 300
daemonize yes
pidfile /run/redis/redis-server.pid
loglevel notice
logfile /var/log/redis/redis-server.log
databases 16
dir /var/lib/redis
`

/** redis.conf: written only while it is as it was read, and shown without what is secret in it. */
export function redisConf(path: string): Resource<FileState> {
  const place = editedFile(path)
  return {
    ...place,
    text: (value) => place.text?.(value)?.replace(secretLine, `$1 ${covered}`),
    fresh: { type: 'file', content: { text: debian }, mode: '0640', owner: 'redis', group: 'redis' },
  }
}

const secretLine = /^(\s*(?:requirepass|masterauth|primaryauth|masteruser|user|tls-(?:client-)?key-file-pass))\s.*$/gim

/** The text with the settings in it. A line that says the same already stays as it is. */
export function withSettings(text: string, settings: readonly Setting[]): string {
  return textOf(settings.reduce(withSetting, linesOf(text)))
}

/** Where a setting stands; of several lines the last counts, but for `save`, of which all do. */
export function find(text: string, { id, name, words }: Pick<Setting, 'id' | 'name' | 'words'>): readonly Found[] {
  return foundIn(linesOf(text), { id, name, words })
}

/** The line that counts for each `include`, from 1. */
export function includesOf(text: string): readonly number[] {
  return linesOf(text).flatMap((line, i) => (wordsOf(line.text)?.[0]?.toLowerCase() === 'include' ? [i + 1] : []))
}

function withSetting(all: readonly TextLine[], setting: Setting): readonly TextLine[] {
  const found = foundIn(all, setting)
  if (effective(setting, found) === setting.value) return all
  const text = `${setting.name} ${setting.words}`
  const last = found.at(-1)
  if (last === undefined) return appended(all, text)
  const others = setting.name === 'save' ? new Set(found.slice(0, -1).map(({ line }) => line)) : new Set<number>()
  // The other classes of a line that has several keep what they have.
  const whole = keptClasses(all[last.line - 1]!, setting) ?? text
  return all.flatMap((line, i) => {
    if (others.has(i + 1)) return []
    return i + 1 === last.line ? [{ ...line, text: whole }] : [line]
  })
}

/** What the server takes from the lines; undefined where none says it. */
export function effective({ name }: Pick<Setting, 'name'>, found: readonly Found[]): string | undefined {
  if (name !== 'save' || found.length === 0) return found.at(-1)?.value
  // An empty one clears those before it.
  const from = found.findLastIndex(({ value }) => value === '')
  return found
    .slice(from + 1)
    .map(({ value }) => value)
    .join(' ')
}

function foundIn(all: readonly TextLine[], { id, name }: Pick<Setting, 'id' | 'name' | 'words'>): readonly Found[] {
  const names = namesOf(name)
  const which = id === name ? undefined : id.slice(name.length + 1)
  return all.flatMap(({ text }, i) => {
    const [first = '', ...words] = wordsOf(text) ?? []
    if (!names.includes(first.toLowerCase())) return []
    const value = which === undefined ? canonical(name, words) : limitsIn(words).get(which)
    return value === undefined && which !== undefined ? [] : [{ line: i + 1, value: value ?? words.join(' ') }]
  })
}

function keptClasses({ text }: TextLine, { id, name, words }: Setting): string | undefined {
  if (id === name) return undefined
  const [first = '', ...old] = wordsOf(text) ?? []
  if (old.length <= 4) return undefined
  const kept: string[] = []
  for (let i = 0; i + 3 < old.length; i += 4) {
    const four = old.slice(i, i + 4)
    const isOwn = four[0]!.toLowerCase().replace('slave', 'replica') === id.slice(name.length + 1)
    kept.push(isOwn ? words : four.join(' '))
  }
  return `${first} ${kept.join(' ')}`
}

/** At the end, where it counts more than what any file before it says. */
function appended(all: readonly TextLine[], text: string): readonly TextLine[] {
  const end = endOf(all)
  const before = all.map((line) => (line.end === '' ? { ...line, end } : line))
  return [...before, { text, end }]
}

/**
 * The words of a line as the server splits it: in double quotes a backslash escapes, in single ones only a quote.
 * Undefined for a comment, an empty line, and quotes that do not end.
 */
export function wordsOf(line: string): readonly string[] | undefined {
  if (/^\s*(?:#|$)/.test(line)) return undefined
  const words: string[] = []
  const each = /\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\'|[^'])*)'|([^\s"']+))(?=\s|$)/gy
  let at = 0
  for (const match of line.matchAll(each)) {
    const [whole, double, single, bare] = match
    at = match.index + whole.length
    words.push(double?.replace(/\\(x[0-9a-fA-F]{2}|.)/g, unescaped) ?? single?.replaceAll("\\'", "'") ?? bare!)
  }
  return line.slice(at).trim() === '' ? words : undefined
}

function unescaped(_: string, after: string): string {
  if (after.length === 3) return String.fromCharCode(Number.parseInt(after.slice(1), 16))
  return ({ n: '\n', r: '\r', t: '\t', b: '\b', a: '\u0007' } as const)[after] ?? after
}

/** The lines that included files have of some directives; no other line of them leaves the host. */
export function includedLines(path: string, names: readonly string[]): Resource<readonly IncludedLine[]> {
  return {
    key: `redis-includes:${path}/${names.join('+')}`,
    label: `files that ${path} includes`,
    read: Probe.script(
      sh`[ ! -r ${path} ] || perl -e ${includeProgram} ${path} ${names}`.called(`the files that ${path} includes`),
      (output) => {
        if (output.status !== 0) throw unparsable(`the files that ${path} includes`, output)
        return output.stdout
          .toString()
          .split('\n')
          .filter(Boolean)
          .map((line) => {
            const [include = '', file = '', number = '', ...text] = line.split('\t')
            if (number === '!') throw unreadable(file, text.join('\t'))
            return { include: Number(include), file, line: Number(number), text: text.join('\t') }
          })
      },
    ),
    show: (lines) => `${lines.length} lines`,
    fresh: [],
  }
}

/** Follows `include`, with the patterns that Redis 7 takes. */
const includeProgram = String.raw`
use strict;
my ($main, @names) = @ARGV;
my %wanted = map { $_ => 1 } @names;
my $include = 0;
sub follow {
  my ($file, $depth) = @_;
  open my $h, "<", $file or $depth == 0 ? exit 0 : return print "$include\t$file\t!\t$!\n";
  while (my $line = <$h>) {
    $line =~ s/\s+\z//;
    my ($name, $rest) = $line =~ /^\s*([^\s#]\S*)(?:\s+(.*))?$/ or next;
    $name = lc $name;
    if ($name eq "include") {
      $include++ if $depth == 0;
      $rest =~ s/^"(.*)"$/$1/;
      $depth < 16 and follow($_, $depth + 1) for glob "\"$rest\"";
    } elsif ($depth && $wanted{$name}) { print "$include\t$file\t$.\t$line\n" }
  }
}
follow($main, 0);
`.trim()

function unreadable(file: string, why: string): Failure {
  return new Failure('E_UNREADABLE', `${file} is included by redis.conf and cannot be read: ${why}`, {
    hint: 'Let the play or the task become a user who may: .become()',
  })
}
