/** php-fpm behind a socket that systemd holds: while it restarts, clients wait instead of failing. */

import type { Guard } from '../../dsl/guard.ts'
import { type Identity, look, type Resource, want, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import { type Duration, type Mode, mode as parseMode, seconds } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import { Failure } from '../../errors/failure.ts'
import type { FileState } from '../../probe/file.ts'
import { lines, sh } from '../../shell/script.ts'
import { fileAt } from '../file.ts'
import { kernelParameter } from '../kernel-parameter.ts'
import { listeningSocket, queueLimit, type SocketState, streamAddress } from '../listening-socket.ts'
import { daemonReload, restart } from '../service.ts'
import { socketTest } from '../socket-test.ts'
import { edited, textIn } from '../text-file.ts'
import { unit, unitDetails } from '../unit.ts'
import { fpmGuard } from './config-test.ts'
import { globalFile, poolFile } from './fpm-files.ts'
import { settingOf, withSettings } from './ini-sections.ts'
import { debianSocket, fpmUnit, globalPath, nameProblem, type PhpVersion, poolPath, versionProblem } from './layout.ts'
import {
  activated,
  dropIn,
  dropInPath,
  giveBack,
  patient,
  withoutDropIn,
  type SocketFiles,
  socketUnit,
  socketUnitPath,
} from './socket-activation.ts'

export interface SocketActivation {
  /** The pool whose socket it is. Other pools keep their own. @default 'www' */
  readonly pool?: string
  /** Where clients find it. @default '/run/php/phpVERSION-fpm.sock', as Debian's pool has it */
  readonly socket?: string
  /** Who owns the socket. @default 'www-data' */
  readonly owner?: string
  /** @default owner */
  readonly group?: string
  /** Who may connect: those who may write it. @default '0660' */
  readonly mode?: Mode
  /** Connections that may wait, also while php-fpm restarts. The kernel takes no more than `net.core.somaxconn`. @default 4096 */
  readonly backlog?: number
  /** How long workers may take to end what they have in hand. @default '10s' */
  readonly timeout?: Duration
}

/** A php-fpm of which nothing is said yet. */
export interface PhpFpmStart {
  /** `php-fpm -t`, which fails for a syntax error in an ini file too: `file(…).guardedBy(phpFpm('8.4').test)`. */
  readonly test: Guard
  /**
   * systemd holds the socket, and hands it to php-fpm. While php-fpm restarts or is stopped, connections wait, and the first
   * one starts it. `'off'` gives the socket back to php-fpm, as the package has it; that workers may end what they have in
   * hand (`process_control_timeout`) stays.
   *
   * @example
   * phpFpm('8.4').socketActivation({ backlog: 4096, owner: 'www-data' })
   * phpFpm('8.4').socketActivation('off')
   */
  socketActivation(how?: SocketActivation | 'off'): PhpFpm
}

/**
 * php-fpm as Debian packages it, several versions side by side.
 *
 * Its socket held by systemd: the unit of the package stays, and gets a drop-in. In the pool, `listen` becomes the name of the
 * socket with `.activated`, which is the key by which php-fpm finds the socket in its environment `FPM_SOCKETS`; were it the path
 * itself, php-fpm would remove systemd's socket when it ends. With SIGQUIT and `process_control_timeout` no request is cut off.
 *
 * The switch stops php-fpm for a second or two, once, in which clients fail; so does the way back. The plan tells when that is
 * about to happen, and the number of connections that the kernel lets wait. Whoever only reloads php-fpm needs none of
 * this: a reload with `process_control_timeout` lets no request fail. systemd starts a unit five times in ten seconds: who
 * restarts it more often has the socket closed too, until `systemctl reset-failed` and a start of the socket.
 *
 * @example
 * phpFpm('8.4').socketActivation({ backlog: 4096, owner: 'www-data' })
 * @see systemd.socket(5), https://www.php.net/manual/en/install.fpm.configuration.php
 */
export function phpFpm(version: PhpVersion): PhpFpmStart {
  return new PhpFpm(version)
}

export class PhpFpm extends Task implements PhpFpmStart {
  readonly module = 'phpFpm'
  readonly id: string
  readonly pool: string = 'www'
  readonly patience: string = '10s'
  readonly files: SocketFiles | undefined
  readonly isOff: boolean = false

  /** @internal Made by `phpFpm()`. */
  constructor(version: string) {
    super()
    this.id = version
    this.files = undefined
    return this.wrong(versionProblem(version))
  }

  get test(): Guard {
    return fpmGuard(this.id)
  }

  socketActivation(how: SocketActivation | 'off' = {}): PhpFpm {
    const said = how === 'off' ? {} : how
    const { pool = 'www', socket = debianSocket(this.id), owner = 'www-data', backlog = 4096, timeout = '10s' } = said
    const { group = owner } = said
    const mode = parseMode(said.mode ?? '0660')
    const wait = seconds(timeout)
    const files = { socket, owner, group, mode: isProblem(mode) ? '' : mode, backlog }
    const task = this.with<PhpFpm>({ pool, files, isOff: how === 'off', patience: isProblem(wait) ? '' : `${wait}s` })
      .wrong(this.files && `phpFpm ${this.id} has its socket said twice`)
      .wrong(nameProblem('a pool', pool))
      .wrong(socketProblem(socket))
      .wrong([owner, group].map(ownerProblem).find(Boolean))
      .wrong(isProblem(mode) ? mode.problem : undefined)
      .wrong(
        Number.isInteger(backlog) && backlog >= 1 && backlog < 2 ** 31
          ? undefined
          : `backlog takes a whole number from 1, not ${backlog}`,
      )
      .wrong(
        isProblem(wait)
          ? wait.problem
          : wait >= 1 && Number.isInteger(wait)
            ? undefined
            : `timeout takes whole seconds from 1s, not ${timeout}`,
      )
    return task.problems.length > 0
      ? task
      : task.notify(daemonReload(`php${this.id}-fpm.socket`), restart(fpmUnit(this.id)))
  }

  override get unfinished() {
    return this.files ? undefined : `phpFpm ${this.id} says nothing: end it with .socketActivation({ … })`
  }

  /**
   * In this order nothing that is there breaks: first it is tested whether systemd can have the socket, and php-fpm reads its files
   * when it starts, which is after systemd has it.
   */
  get wishes(): readonly Wish[] {
    const { id: version, pool, files, isOff, patience } = this
    if (!files) return []
    const guard = this.test
    const [poolAt, unitAt, dropInAt] = [poolPath(version, pool), socketUnitPath(version), dropInPath(version)]
    const looks = [look(unit(fpmUnit(version))), look(unitDetails(fpmUnit(version)))]
    const listen = (to: string) => {
      const edit = (text: string) => withSettings(text, pool, { listen: to })
      return want(poolFile(version, pool), (now, as) => mended(poolAt, now, as, edit), { guard })
    }
    if (isOff) {
      const isHeld = (now: FileState) => listenOf(poolAt, pool, now) === activated(files.socket)
      const back = (text: string) => withSettings(text, pool, { listen: files.socket })
      return [
        ...looks,
        want(poolFile(version, pool), (now, as) => (isHeld(now) ? mended(poolAt, now, as, back) : now), { guard }),
        want<FileState>(fileAt(dropInAt), { type: 'absent' }),
        want(socketOf(version), released, { whole: 'off' }),
        want<FileState>(fileAt(unitAt), { type: 'absent' }),
      ]
    }
    const globalAt = globalPath(version)
    const folder = dropInAt.slice(0, dropInAt.lastIndexOf('/'))
    return [
      ...looks,
      look(somaxconn),
      look(fileAt(alternative)),
      want(fileAt(unitAt), socketUnit(version, files), { guard: socketGuard(version, files) }),
      listen(activated(files.socket)),
      want(globalFile(version), (now, as) => mended(globalAt, now, as, (text) => patient(text, patience)), {
        guard,
      }),
      want(fileAt(folder), (now) => (now.type === 'directory' ? now : directory)),
      want(fileAt(dropInAt), dropIn(version, files)),
      want(socketOf(version), held(files)),
    ]
  }

  override judge({ now, changes, certain }: Reading): readonly Verdict[] {
    const { id: version, pool, files, isOff } = this
    if (!files) return []
    const service = unit(fpmUnit(version))
    if (now(service) === null && certain(service)) {
      const { nearest } = now(unitDetails(fpmUnit(version)))
      const hint = nearest
        ? `Did you mean ${nearest}?`
        : `Install it in an earlier task: aptPackage('php${version}-fpm')`
      return isOff ? [] : [refuse(`There is no php${version}-fpm on this host.`, hint)]
    }
    const place = socketOf(version)
    const runs = now(service)?.active ?? false
    const verdicts: Verdict[] = []
    if (changes(place) && runs)
      verdicts.push(
        note(
          `php${version}-fpm is stopped once while ${files.socket} changes hands: requests fail for a second or two.`,
        ),
      )
    if (isOff) return verdicts
    const path = poolPath(version, pool)
    const listens = listenOf(path, pool, now(poolFile(version, pool)))
    if (listens !== undefined && listens !== files.socket && listens !== activated(files.socket)) {
      const hint =
        'Say that address as `socket` where it is a path; else have the pool, and its clients, use the path first.'
      verdicts.push(
        refuse(`The pool ${pool} listens on ${listens}: its clients would not find it at ${files.socket}.`, hint),
      )
    }
    const limit = queueLimit(now(somaxconn))
    if (changes(place) && limit !== undefined && files.backlog > limit) {
      verdicts.push(
        note(`The kernel lets ${limit} connections wait, not ${files.backlog}: it is this host's net.core.somaxconn.`),
      )
    }
    if (changes(place) && now(fileAt(alternative)).type === 'link') {
      verdicts.push(
        note(
          `The link ${alternative} is kept by the package only for a socket of php-fpm's own: let clients name ${files.socket}.`,
        ),
      )
    }
    return verdicts
  }
}

const somaxconn = kernelParameter('net.core.somaxconn')

/** The link of Debian's alternatives. */
const alternative = '/run/php/php-fpm.sock'

const directory: FileState = { type: 'directory', mode: '0755', owner: 'root', group: 'root' }

/** The socket of a php-fpm in systemd's hands. Moving it starts php-fpm anew, with all that it reads then. */
function socketOf(version: string): Resource<SocketState> {
  const place = listeningSocket(`php${version}-fpm.socket`, fpmUnit(version))
  return {
    ...place,
    write: (to, from) => {
      const [will, was] = [to, from].map((state) => Object.keys(state?.listening ?? {}).length > 0)
      const move = () => {
        if (will) return lines(withoutDropIn(version), place.write!(to, from))
        if (was) return giveBack(version)
        // Its file is gone, and systemd keeps a unit that another one has asked for.
        return to === null ? sh`systemctl daemon-reload` : place.write!(to, from)
      }
      return move().touches(`unit:php${version}-fpm.socket`, `opcache:${version}`)
    },
  }
}

function socketGuard(version: string, { socket, owner, group, mode }: SocketFiles): Guard {
  return socketTest(`php${version}-fpm.socket`, fpmUnit(version), { [socket]: { file: { owner, group, mode } } })
}

function held({ socket, owner, group, mode, backlog }: SocketFiles): SocketState {
  return { enabled: 'enabled', listening: { [socket]: { backlog, file: { mode, owner, group } } } }
}

function released(now: SocketState): SocketState {
  return now && { enabled: now.enabled === 'enabled' ? 'disabled' : now.enabled, listening: {} }
}

/** A file of the package with an edit. */
function mended(path: string, now: FileState, as: Identity, edit: (text: string) => string): FileState {
  if (now.type !== 'absent') return edited(path, now, as, false, edit)
  const hint = 'It comes with php-fpm: install that, and the pool, in an earlier task.'
  throw new Failure('E_REFUSED', `${path} does not exist.`, { hint })
}

/** Where a pool listens; undefined where its file is not there. */
function listenOf(path: string, pool: string, file: FileState): string | undefined {
  return file.type === 'absent' ? undefined : settingOf(textIn(path, file), pool, 'listen')
}

function socketProblem(socket: string): string | undefined {
  const address = streamAddress(socket)
  if (isProblem(address)) return `socket: ${address.problem}`
  if (!/^\/[\w./@%+:-]+$/.test(socket))
    return `socket: ${JSON.stringify(socket)} is not a plain path, such as /run/php/a.sock`
  // The name in `listen` is longer, and php-fpm takes no more.
  return Buffer.byteLength(activated(socket)) > 107
    ? `socket: ${JSON.stringify(socket)} is longer than 97 bytes`
    : undefined
}

function ownerProblem(name: string): string | undefined {
  return /^[A-Za-z_][\w.-]*\$?$/.test(name)
    ? undefined
    : `owner: ${JSON.stringify(name)} is not the name of a user or group`
}
