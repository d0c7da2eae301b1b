import { sh } from '../../../shell/script.ts'
import { tcQdisc } from '../../../modules/tc/qdisc.ts'
import { fqCodelDefaults } from '../../../modules/tc/fq-codel.ts'
import { rootQdisc } from '../../../modules/tc/root-qdisc.ts'
import type { Example } from '../../../testing/example.ts'

/** A device of our own, with a name that systemd escapes. */
const device = 'law-0'

const prepare = sh`ip link show ${device} >/dev/null 2>&1 || ip link add name ${device} type dummy
ip link set ${device} up`

const bare = sh`tc qdisc del dev ${device} root 2>/dev/null || :`

const tuned = () => tcQdisc(device).fqCodel({ limit: 10_240, target: '5ms', interval: '100ms', ecn: true })

const added = { type: 'added', kind: 'fq_codel', children: 0 } as const
const odd = { ...fqCodelDefaults, flows: 2048, quantum: 300, ecn: false, ceThreshold: 1000 }

export const tcQdiscExamples: readonly Example[] = [
  { name: 'tcQdisc, new', task: tuned, before: () => bare, prepare, proved: 'lab' },
  {
    name: 'tcQdisc, other parameters',
    task: tuned,
    values: () => [[rootQdisc(device), { ...added, options: { ...fqCodelDefaults, limit: 1000, quantum: 1514 } }]],
    before: () => sh`${bare}
tc qdisc add dev ${device} root fq_codel limit 1000`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, made anew',
    task: tuned,
    values: () => [[rootQdisc(device), { ...added, options: odd }]],
    before: () => sh`${bare}
tc qdisc add dev ${device} root handle 1: fq_codel flows 2048 quantum 300 noecn ce_threshold 1ms`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, another kind',
    task: () => tcQdisc(device).fqCodel({ flows: 4096, memoryLimit: '16MiB' }).atBoot(false),
    values: () => [[rootQdisc(device), { ...added, kind: 'pfifo', options: { limit: 50 } }]],
    before: () => sh`${bare}
tc qdisc add dev ${device} root pfifo limit 50`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, absent',
    task: () => tcQdisc(device).absent(),
    values: () => [[rootQdisc(device), { ...added, options: odd }]],
    before: () => sh`${bare}
tc qdisc add dev ${device} root handle 1: fq_codel flows 2048 quantum 300 noecn ce_threshold 1ms`,
    prepare,
    proved: 'lab',
  },
]
