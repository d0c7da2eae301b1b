/** Socket activation: systemd listens, and hands the socket to a service that it starts. */

import { look, want } from '../../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import { type Mode, mode as parseMode } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import type { FileState } from '../../probe/file.ts'
import { fileAt } from '../file.ts'
import { kernelParameter } from '../kernel-parameter.ts'
import {
  type Listener,
  listeningSocket,
  queueLimit,
  type SocketState,
  streamAddress,
  taken,
} from '../listening-socket.ts'
import { daemonReload } from '../service.ts'
import { socketTest } from '../socket-test.ts'
import { unit, unitDetails, unitName } from '../unit.ts'
import { ownedByRoot } from './unit.ts'
import { literal, unitFileText } from './unit-file.ts'

/** A socket unit without an address to listen on. */
export interface SystemdSocketStart {
  /**
   * Listens for streams on a path (`/run/app.sock`), an abstract name (`@app`), a port of every address (`8080`), or one address
   * (`127.0.0.1:8080`, `[::1]:8080`). Said several times, it listens on all of them.
   */
  listenStream(address: string | number): SystemdSocket
  /** No such socket unit: it is stopped and disabled, and its file removed. Its service is started anew where it runs. */
  absent(): SystemdSocket
}

/**
 * A socket unit, `/etc/systemd/system/NAME.socket`, enabled and listening, that starts the service of the same name at the
 * first connection. While the service restarts, connections wait instead of failing, if the service takes the socket over from
 * systemd: one that opens its own (php-fpm does without the environment `FPM_SOCKETS`) cannot share the address.
 *
 * What counts is what the kernel has: an address, mode, owner or backlog that differs makes systemd open the socket anew. A service
 * that runs is stopped for that and started afterwards, of which the plan tells. Where it does not come up, all is put back.
 * Before anything is stopped, the new file is tested, and put back where systemd could not open the socket: an address that another
 * process holds or that the host does not have, an owner who does not exist, a path with a file in its place.
 * The kernel cuts the backlog to `net.core.somaxconn`; the plan says so with the host's number.
 *
 * @example
 * systemdSocket('php8.4-fpm').listenStream('/run/php/php8.4-fpm.sock').owner('www-data').mode('0660').backlog(4096)
 * @see systemd.socket(5), listen(2)
 */
export function systemdSocket(name: string): SystemdSocketStart {
  return new SystemdSocket(name)
}

export class SystemdSocket extends Task implements SystemdSocketStart {
  readonly module = 'systemdSocket'
  readonly id: string
  readonly addresses: readonly string[] = []
  readonly user: string = 'root'
  readonly group: string = 'root'
  readonly bits: string = '0666'
  readonly queue: number = 4096
  readonly serviceName: string
  readonly isAbsent: boolean = false

  /** @internal Made by `systemdSocket()`. */
  constructor(name: string) {
    super()
    const socket = unitName(name, 'socket')
    this.id = isProblem(socket) ? name : socket
    this.serviceName = this.id.replace(/\.socket$/, '.service')
    if (isProblem(socket)) return this.wrong(socket.problem)
    if (!socket.endsWith('.socket')) return this.wrong(`${socket} is not the name of a socket unit`)
    return this.notify(daemonReload(socket))
  }

  listenStream(address: string | number): SystemdSocket {
    const stream = streamAddress(address)
    if (isProblem(stream)) return this.wrong(`listenStream: ${stream.problem}`)
    return this.addresses.includes(stream) ? this : this.with<SystemdSocket>({ addresses: [...this.addresses, stream] })
  }

  absent(): SystemdSocket {
    return this.with<SystemdSocket>({ isAbsent: true })
  }

  /** Owner of a socket in the file system, by names. @default root */
  owner(user: string, group = user): SystemdSocket {
    const wrong = [user, group].find((name) => !/^[A-Za-z_][\w.-]*\$?$/.test(name))
    const problem =
      wrong === undefined ? undefined : `owner: ${JSON.stringify(wrong)} is not the name of a user or group`
    return this.with<SystemdSocket>({ user, group }).wrong(problem)
  }

  /** Who may connect to a socket in the file system: those who may write it. @default 0666 */
  mode(mode: Mode): SystemdSocket {
    const bits = parseMode(mode)
    return isProblem(bits) ? this.wrong(bits.problem) : this.with<SystemdSocket>({ bits })
  }

  /** Connections that may wait to be accepted. The kernel takes no more than `net.core.somaxconn`. @default 4096 */
  backlog(connections: number): SystemdSocket {
    const isCount = Number.isInteger(connections) && connections >= 1 && connections <= 2_147_483_647
    const problem = isCount ? undefined : `backlog takes a whole number from 1, not ${connections}`
    return this.with<SystemdSocket>({ queue: connections }).wrong(problem)
  }

  /** The service that takes the socket. @default the service of the same name */
  service(name: string): SystemdSocket {
    const serviceName = unitName(name)
    if (isProblem(serviceName)) return this.wrong(serviceName.problem)
    const problem = serviceName.endsWith('.service') ? undefined : `${serviceName} is not a service`
    return this.with<SystemdSocket>({ serviceName }).wrong(problem)
  }

  override get unfinished() {
    const isSaid = this.isAbsent || this.addresses.length > 0 || this.problems.length > 0
    return isSaid ? undefined : `systemdSocket(${JSON.stringify(this.id)}) has no address to listen on: listenStream()`
  }

  get wishes() {
    const file = fileAt(this.path)
    const socket = listeningSocket(this.id, this.serviceName)
    const looks = [look(unit(this.serviceName)), look(unitDetails(this.serviceName))]
    if (this.isAbsent)
      return [...looks, want(socket, silent, { whole: 'absent' }), want<FileState>(file, { type: 'absent' })]
    return [
      ...looks,
      look(kernelParameter('net.core.somaxconn')),
      ...this.addresses.map((address) => look(taken(address))),
      want(file, ownedByRoot(this.text), { guard: socketTest(this.id, this.serviceName, this.listening) }),
      want<SocketState>(socket, { enabled: 'enabled', listening: this.listening }),
    ]
  }

  override judge({ now, changes, certain }: Reading): readonly Verdict[] {
    const place = listeningSocket(this.id, this.serviceName)
    if (!changes(place)) return []
    const service = unit(this.serviceName)
    const runs = now(service)?.active ?? false
    const verdicts: Verdict[] = []
    if (runs)
      verdicts.push(
        note(`${this.serviceName} is stopped while the address changes hands: connections fail for a second or two.`),
      )
    if (this.isAbsent) return verdicts
    const details = now(unitDetails(this.serviceName))
    if (now(service) === null && certain(service)) {
      const hint = details.nearest
        ? `Did you mean service('${details.nearest}')?`
        : 'Write it by systemdUnit() in an earlier task.'
      return [refuse(`${this.id} has no service: systemd knows no unit ${this.serviceName} on this host.`, hint)]
    }
    // An earlier task of the play may yet give it a drop-in.
    if (certain(unitDetails(this.serviceName)) && isStockPhpFpm(this.serviceName, details)) {
      const own = this.addresses.find((address) => runs && !now(place)?.listening[address] && now(taken(address)))
      const why = `${this.serviceName} does not take a socket from systemd: php-fpm needs the environment FPM_SOCKETS for that`
      const hint = 'Give it FPM_SOCKETS by systemdDropIn(), and the pool a `listen` that is not the path itself.'
      verdicts.push(
        own
          ? refuse(`${why}, and would not start again while systemd has ${own}.`, hint)
          : note(`${why}. Nobody answers until it has it.`),
      )
    }
    const limit = queueLimit(now(kernelParameter('net.core.somaxconn')))
    if (limit !== undefined && this.queue > limit) {
      verdicts.push(note(`The kernel cuts the backlog of ${this.queue} to ${limit}, this host's net.core.somaxconn.`))
    }
    return verdicts
  }

  get path(): string {
    return `/etc/systemd/system/${this.id}`
  }

  private get listening(): Readonly<Record<string, Listener>> {
    const file = { mode: this.bits, owner: this.user, group: this.group }
    return Object.fromEntries(
      this.addresses.map((address) => [address, { backlog: this.queue, file: address.startsWith('/') ? file : null }]),
    )
  }

  private get text(): string {
    const isNamedAlike = this.serviceName === this.id.replace(/\.socket$/, '.service')
    return unitFileText([
      { name: 'Unit', settings: { Description: `Socket of ${this.serviceName}` } },
      {
        name: 'Socket',
        settings: {
          ListenStream: this.addresses.map(literal),
          SocketUser: this.user,
          SocketGroup: this.group,
          SocketMode: this.bits,
          Backlog: this.queue,
          ...(isNamedAlike ? {} : { Service: literal(this.serviceName) }),
        },
      },
      { name: 'Install', settings: { WantedBy: 'sockets.target' } },
    ])
  }
}

function silent(now: SocketState): SocketState {
  return now && { enabled: now.enabled === 'enabled' ? 'disabled' : now.enabled, listening: {} }
}

/** A php-fpm that nobody has given settings of his own. */
function isStockPhpFpm(
  service: string,
  { dropIns, fragment, stale }: { dropIns: readonly string[]; fragment: string | null; stale: boolean },
) {
  return (
    /^php[\d.]*-fpm\.service$/.test(service) &&
    dropIns.length === 0 &&
    !stale &&
    /^(\/usr)?\/lib\//.test(fragment ?? '')
  )
}
