import { cakeDefaults } from '../../../modules/tc/cake.ts'
import type { Kind, Values } from '../../../modules/tc/discipline.ts'
import { fqDefaults } from '../../../modules/tc/fq.ts'
import { fqCodelDefaults } from '../../../modules/tc/fq-codel.ts'
import { tcQdisc } from '../../../modules/tc/qdisc.ts'
import { rootQdisc } from '../../../modules/tc/root-qdisc.ts'
import { sh } from '../../../shell/script.ts'
import type { Example } from '../../../testing/example.ts'

/** A device of our own, with a name that systemd escapes. */
const device = 'law-0'

const prepare = sh`ip link show ${device} >/dev/null 2>&1 || ip link add name ${device} type dummy
ip link set ${device} up`

const bare = sh`tc qdisc del dev ${device} root 2>/dev/null || :`

const on = () => tcQdisc(device)
const has = (kind: Kind | 'pfifo', options: Values) => () =>
  [[rootQdisc(device), { type: 'added', kind, options, children: 0 }]] as const

const tuned = () => on().fqCodel({ limit: 10_240, target: '5ms', interval: '100ms', ecn: true })
const smart = () => on().tbf({ rate: '9mbit', burst: '32KiB', fqCodel: { target: '5ms' } })

const odd = { ...fqCodelDefaults, flows: 2048, quantum: 300, ecn: false, ceThreshold: 1000 }
const bucket = { rate: 1_000_000, burst: 32_768, limit: 82_768, child: null }

export const tcQdiscExamples: readonly Example[] = [
  { name: 'tcQdisc, new', task: tuned, before: () => bare, prepare, proved: 'lab' },
  {
    name: 'tcQdisc, other parameters',
    task: tuned,
    values: has('fq_codel', { ...fqCodelDefaults, limit: 1000, quantum: 1514 }),
    before: () => sh`${bare}
tc qdisc add dev ${device} root fq_codel limit 1000`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, made anew',
    task: tuned,
    values: has('fq_codel', odd),
    before: () => sh`${bare}
tc qdisc add dev ${device} root handle 1: fq_codel flows 2048 quantum 300 noecn ce_threshold 1ms`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, another kind',
    task: () => on().fqCodel({ flows: 4096, memoryLimit: '16MiB' }).atBoot(false),
    values: has('pfifo', { limit: 50 }),
    before: () => sh`${bare}
tc qdisc add dev ${device} root pfifo limit 50`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, absent',
    task: () => on().absent(),
    values: has('fq_codel', odd),
    before: () => sh`${bare}
tc qdisc add dev ${device} root handle 1: fq_codel flows 2048 quantum 300 noecn ce_threshold 1ms`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, fq instead of a shaper',
    task: () => on().fq({ flowLimit: 200, maxrate: '100mbit', refillDelay: '60ms', beyondHorizon: 'cap' }),
    values: has('tbf', { ...bucket, limit: null, child: { ...fqCodelDefaults, quantum: 1514 } }),
    before: () => sh`${bare}
tc qdisc add dev ${device} root handle 1: tbf rate 8mbit burst 32kb latency 50ms
tc qdisc add dev ${device} parent 1: fq_codel`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, fq as the kernel makes it',
    task: () => on().fq(),
    values: has('fq', { ...fqDefaults, quantum: 3028, initialQuantum: 15_140, maxrate: 1_250_000, ceThreshold: 5000 }),
    before: () => sh`${bare}
tc qdisc add dev ${device} root fq maxrate 10mbit ce_threshold 5ms orphan_mask 511 nopacing timer_slack 20us`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, cake',
    task: () =>
      on().cake({ bandwidth: '95mbit', diffserv: 'diffserv4', ackFilter: 'aggressive', rtt: '50ms', overhead: 18 }),
    before: () => bare,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, cake without what it had',
    task: () => on().cake({ bandwidth: '16mbit' }),
    values: has('cake', { ...cakeDefaults, mpu: 64, overhead: -4, cells: 'ptm', memoryLimit: 4_194_304, nat: true }),
    // Without autorate-ingress, by which the kernel moves the bandwidth by itself between a plan and its run.
    before: () => sh`${bare}
tc qdisc add dev ${device} root cake bandwidth 8mbit overhead -4 ptm mpu 64 memlimit 4mb nat fwmark 0xff`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, tbf at a rate that the kernel rounds',
    task: () => on().tbf({ rate: '2.5gbit', burst: 200_000, latency: '5ms' }),
    values: has('tbf', bucket),
    before: () => sh`${bare}
tc qdisc add dev ${device} root tbf rate 7mbit burst 20001 limit 100001`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, a smart queue instead of a long one',
    task: smart,
    values: has('tbf', bucket),
    before: () => sh`${bare}
tc qdisc add dev ${device} root tbf rate 8mbit burst 32kb latency 50ms`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, another rate of a smart queue',
    task: smart,
    values: has('tbf', { ...bucket, limit: null, child: { ...fqCodelDefaults, target: 2000, quantum: 1514 } }),
    before: () => sh`${bare}
tc qdisc add dev ${device} root tbf rate 8mbit burst 32kb latency 50ms
tc qdisc add dev ${device} parent $(tc qdisc show dev ${device} root | while read -r _ _ h _; do echo "$h"; done)1 fq_codel target 2ms`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, a smart queue of other flows',
    task: smart,
    values: has('tbf', { ...bucket, limit: null, child: { ...odd, quantum: 1514 } }),
    before: () => sh`${bare}
tc qdisc add dev ${device} root handle 1: tbf rate 8mbit burst 32kb latency 50ms
tc qdisc add dev ${device} parent 1: fq_codel flows 64`,
    prepare,
    proved: 'lab',
  },
  {
    name: 'tcQdisc, htb',
    task: () => on().htb({ default: '0x10', r2q: 100 }),
    values: has('htb', { default: 0x20, r2q: 10, directQlen: 500 }),
    before: () => sh`${bare}
tc qdisc add dev ${device} root htb default 0x20 direct_qlen 500`,
    prepare,
    proved: 'lab',
  },
]
