/** The command line: arguments in, exit status out. Commands are loaded when they are called. */

import { readFileSync } from 'node:fs'
import { Command, CommanderError, Help, type Option } from 'commander'
import { withSecretsCovered } from '../engine/covered.ts'
import { eventVersion, type FailureData } from '../engine/events.ts'
import { Failure, Mistakes, type Place } from '../errors/failure.ts'
import { withoutSecrets } from '../shell/secret-text.ts'
import { type ExitStatus, exitStatus, exitTable } from './exit.ts'
import {
  left,
  positive,
  several,
  withChoice,
  withConnection,
  withForks,
  withInventory,
  withLock,
  withOutput,
} from './options.ts'
import { pageOptions, sourceLine, Unanswered } from './terminal.ts'

/** Runs a command line, and tells what is wrong with it. */
export async function main(argv: readonly string[]): Promise<ExitStatus> {
  let status: ExitStatus = exitStatus.fine
  const complaint: string[] = []
  const program = commands((result) => {
    status = result
  })
  for (const command of [program, ...program.commands]) {
    command
      .configureHelp({ optionDescription })
      .exitOverride()
      .configureOutput({ outputError: (text) => complaint.push(text) })
  }
  // `play list | head`: nobody reads any more, which is no mistake; and a run that is under way goes on to its end.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  try {
    await program.parseAsync(argv, { from: 'user' })
    return status
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitStatus.fine
      // No command at all: the help is what it says.
      if (error.code === 'commander.help') return exitStatus.wrong
      return wrong([optionFailure(complaint.join('') || error.message)], argv)
    }
    if (error instanceof Unanswered) return exitStatus.interrupted
    if (error instanceof Mistakes) return wrong(error.failures, argv)
    if (error instanceof Failure && isAboutReaching(error)) return broken(error, exitStatus.unreachable)
    if (error instanceof Failure && error.code === 'E_RECORD') return broken(error, exitStatus.failed)
    if (error instanceof Failure && error.code !== 'E_INTERNAL') return wrong([error], argv)
    return internal(error)
  }
}

function commands(ended: (status: ExitStatus) => void): Command {
  const program = new Command('play')
    .description('Brings hosts into the state that typed plays describe.')
    .version(version(), '-V, --version')
    .helpCommand(false)
    .addHelpText('after', `\n${exitTable}\n\nWithout -i the inventory is inventory/default.ts.`)
    .showSuggestionAfterError()
  const add = (signature: string, description: string) => program.command(signature).description(description)

  withOutput(
    withForks(
      withLock(
        withChoice(withConnection(withInventory(add('run <play>', 'run plays/PLAY.ts, or the plays of a file')))),
      ),
    ),
  )
    .option('-C, --check', 'change nothing: the same as `play plan`')
    .option('-D, --diff', 'show texts that change by their lines')
    .option('--only <kinds>', 'hosts that the last run of the play left: failed,unreached', left)
    .action(async (play, options) => ended(await (await import('./run.ts')).run(play, options)))
  withOutput(withForks(withChoice(withConnection(withInventory(add('plan <play>', 'what a run would do'))))))
    .option('-D, --diff', 'show texts that change by their lines')
    .option('--exit-code', 'end with status 10 where changes are pending')
    .option('-o, --out <file>', 'write the plan into a file, for `play apply`')
    .action(async (play, options) => ended(await (await import('./plan.ts')).plan(play, options)))
  withOutput(
    withForks(withLock(withConnection(add('apply <file>', 'do exactly what a plan of `play plan --out` says')))),
  )
    .option('-D, --diff', 'show texts that change by their lines')
    .option('--rest', 'without asking: all but what is refused, because the host has moved since')
    .action(async (file, options) => ended(await (await import('./apply.ts')).apply(file, options)))
  withOutput(withForks(withLock(withConnection(add('undo <run>', 'turn a run round: shown first, then done')))))
    .option('-l, --limit <pattern>', 'only these hosts of the run')
    .option('--task <title>', 'only this task of the run; repeatable', several, [])
    .option('-y, --yes', 'ask nothing')
    .option('--rest', 'with --yes: all but what is refused')
    .option('-D, --diff', 'show texts that change by their lines')
    .action(async (name, options) => ended(await (await import('./undo.ts')).undo(name, options)))
  withOutput(withForks(withLock(withConnection(add('resume <run>', 'go on with a run that was interrupted')))))
    .option('-D, --diff', 'show texts that change by their lines')
    .action(async (name, options) => ended(await (await import('./resume.ts')).resume(name, options)))
  add('history', 'the runs of this project')
    .option('-n, --last <number>', 'so many of them', positive, 20)
    .action(async (options) => ended((await import('./history.ts')).history(options)))
  withOutput(add('show <run>', 'what a run came to; or a plan, by its file'))
    .option('-D, --diff', 'show texts that change by their lines')
    .action(async (name, options) => ended(await (await import('./show.ts')).show(name, options)))
  withInventory(add('list [play]', 'plays and hosts; or the tasks of a play')).action(async (play, options) =>
    ended(await (await import('./list.ts')).list(play, options)),
  )
  withInventory(add('check [plays...]', 'mistakes in plays and inventories, without a connection')).action(
    async (plays, options) => ended(await (await import('./check.ts')).check(plays, options)),
  )
  withOutput(withConnection(withInventory(add('facts <pattern>', 'what is known of hosts before a play asks')))).action(
    async (pattern, options) => ended(await (await import('./facts.ts')).facts(pattern, options)),
  )
  withForks(
    withConnection(
      withInventory(add('exec <pattern> <command...>', 'run a command on hosts: play exec web -- uptime')),
    ),
  )
    .option('-b, --become', 'as root')
    .option('--become-user <name>', 'as this user')
    .option('--timeout <seconds>', 'seconds after which the command is ended', positive, 600)
    .action(async (pattern, words, options) => ended(await (await import('./exec.ts')).exec(pattern, words, options)))
  withConnection(withInventory(add('explain <play> <host>', 'the shell text that a run would send'))).action(
    async (play, host, options) => ended(await (await import('./explain.ts')).explain(play, host, options)),
  )
  add('docs', 'reference pages of the modules, made from their sources')
    .option('--check', 'write nothing; fail where a page is stale')
    .option('--out <folder>', 'where the pages are', 'docs/modules')
    .action(async (options) => ended(await (await import('./docs.ts')).docs(options)))
  withInventory(add('trust <pattern>', "write a host's keys into known_hosts, after you have seen them"))
    .option('-y, --yes', 'ask nothing')
    .action(async (pattern, options) => ended(await (await import('./trust.ts')).trust(pattern, options)))
  return program
}

function version(): string {
  // Beside cli/ in a checkout, beside dist/ where it was built.
  for (const path of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { readonly version: string }).version
    } catch {}
  }
  return 'unknown'
}

/** Without the default of what is empty by default. */
function optionDescription(option: Option): string {
  const { defaultValue, description } = option
  if (typeof defaultValue === 'object' && Object.keys(defaultValue as object).length === 0) return description
  return Help.prototype.optionDescription(option)
}

/** «error: unknown option '--limt'», with a suggestion on a line of its own where there is one. */
function optionFailure(complaint: string): Failure {
  const [message = '', ...hint] = complaint.trim().split('\n')
  return new Failure('E_OPTION', message.replace(/^error: /, ''), {
    hint: hint.join(' ').replace(/^\((.*)\)$/, '$1') || undefined,
  })
}

async function wrong(failures: readonly Failure[], argv: readonly string[]): Promise<ExitStatus> {
  const data = failures.map(dataOf)
  const output = argv.indexOf('--output')
  if (argv.includes('--output=json') || (output >= 0 && argv[output + 1] === 'json')) {
    process.stdout.write((await import('../report/json.ts')).jsonMistakes(data, eventVersion))
  }
  const { mistakesText } = await import('../report/failure.ts')
  process.stderr.write(mistakesText(data, { ...pageOptions(process.stderr), source: toldLine }))
  return exitStatus.wrong
}

/** What is told of a failure before a run, or of a command that is none: without secrets. */
function dataOf({ code, message, place, seen, hint }: Failure): FailureData {
  return withSecretsCovered({ code, message, place, seen, hint })
}

/** The line of a play that holds a mistake, which may be that a password is in it. */
function toldLine(place: Place): string | undefined {
  const line = sourceLine(place)
  return line === undefined ? undefined : withoutSecrets(line)
}

/** A host that a command needs could not be reached; or a run broke off, since it could not be recorded. */
async function broken(failure: Failure, status: ExitStatus): Promise<ExitStatus> {
  const [{ failureOn }, { Page }] = await Promise.all([import('../report/failure.ts'), import('../report/page.ts')])
  const page = new Page(pageOptions(process.stderr))
  failureOn(page, dataOf(failure), 0)
  process.stderr.write(page.text)
  return status
}

function isAboutReaching({ code }: Failure): boolean {
  return /^E_(CONNECT|CONNECTION_LOST|HOST_KEY_|AUTH|BECOME|GREETING)/.test(code)
}

function internal(error: unknown): ExitStatus {
  const stack = error instanceof Error ? error.stack : String(error)
  process.stderr.write(
    `fleetplay itself is wrong. Please report this, with the command and what follows:\n\n${withoutSecrets(stack ?? '')}\n`,
  )
  return exitStatus.internal
}
