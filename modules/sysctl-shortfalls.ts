/** What kernel parameters do not do, though they are set: told beside the change. */

import type { AnyResource } from '../dsl/resource.ts'
import { note, type Reading, type Verdict } from '../dsl/task.ts'
import { fileAt } from './file.ts'
import { kernelParameter } from './kernel-parameter.ts'
import { bootLine } from './sysctl-boot.ts'

/** A parameter and its value, as the kernel prints it. */
export interface Assigned {
  readonly key: string
  readonly value: string
}

/** What a change of these does not reach. */
const reach: Readonly<Record<string, string>> = {
  'net.core.rmem_default': 'sockets that are open keep their buffers until their daemons are restarted',
  'net.core.wmem_default': 'sockets that are open keep their buffers until their daemons are restarted',
  'net.core.somaxconn': 'sockets that listen keep their backlog until their daemons or socket units are restarted',
  'net.core.default_qdisc': 'network devices that are there keep their qdisc; tcQdisc() changes one',
}

/** What tasks that set these keys must look at, for `shortfalls`. */
export function lookedAt(keys: readonly string[]): readonly AnyResource[] {
  const memory = keys.includes(defaultRoom) && !keys.includes(udpMemory) ? [kernelParameter(udpMemory)] : []
  return [oldFile, ...memory] as readonly AnyResource[]
}

export function shortfalls(entries: readonly Assigned[], reading: Reading, notifies: boolean): readonly Verdict[] {
  const changed = entries.filter(({ key }) => reading.changes(kernelParameter(key)))
  return [
    ...changed.flatMap(({ key }) => (reach[key] && !notifies ? [note(`${key}: ${reach[key]}`)] : [])),
    ...onlyForThoseWhoAsk(changed, entries, reading),
    ...moreThanAllMayHave(changed, entries, reading),
    ...takenBackByHand(entries, reading),
  ]
}

const defaultRoom = 'net.core.rmem_default'
const udpMemory = 'net.ipv4.udp_mem'
const oldFile = fileAt('/etc/sysctl.conf')

/** A daemon that sets no SO_RCVBUF, such as systemd-resolved, has net.core.rmem_default, whatever the limit is. */
function onlyForThoseWhoAsk(
  changed: readonly Assigned[],
  entries: readonly Assigned[],
  { now }: Reading,
): readonly Verdict[] {
  return (['r', 'w'] as const).flatMap((letter) => {
    const key = `net.core.${letter}mem_max`
    const room = `net.core.${letter}mem_default`
    const isRaised = changed.some((one) => one.key === key && Number(one.value) > Number(now(kernelParameter(key))))
    if (!isRaised || entries.some((one) => one.key === room)) return []
    return [note(`${key}: a daemon that asks for no buffer of its own has ${room} all the same`)]
  })
}

/** Beyond the last number of udp_mem, the kernel drops what would still have had room in its socket, and counts MemErrors. */
function moreThanAllMayHave(
  changed: readonly Assigned[],
  entries: readonly Assigned[],
  { now }: Reading,
): readonly Verdict[] {
  const room = entries.find(({ key }) => key === defaultRoom)
  const said = entries.find(({ key }) => key === udpMemory)?.value
  if (!room || !changed.some(({ key }) => key === defaultRoom || key === udpMemory)) return []
  const pages = said ?? now(kernelParameter(udpMemory))
  const limit = typeof pages === 'string' ? Number(pages.split(' ')[2]) * pageSize : Number.POSITIVE_INFINITY
  if (Number(room.value) <= limit) return []
  return [
    note(`${defaultRoom}: ${udpMemory} lets all UDP sockets together have ${limit} bytes, and drops what is more`),
  ]
}

/** Of almost every machine that Debian runs on. */
const pageSize = 4096

/** systemd 252 reads /etc/sysctl.conf before our file, and 262 not at all; `sysctl --system` reads it last on both. */
function takenBackByHand(entries: readonly Assigned[], { now, facts }: Reading): readonly Verdict[] {
  const state = now(oldFile)
  if (!facts.systemd || state.type !== 'file' || !('text' in state.content)) return []
  const lines = state.content.text.split('\n').filter((line) => !/^\s*[#;]/.test(line))
  const said = lines.flatMap((line) => bootLine({ file: '/etc/sysctl.conf', line }))
  return entries.flatMap(({ key, value }) => {
    const last = said.findLast((line) => line.key === key)
    if (!last || last.value === null || last.value === value) return []
    return [note(`${key}: /etc/sysctl.conf says ${last.value}, which no boot heeds, but \`sysctl --system\` by hand`)]
  })
}
