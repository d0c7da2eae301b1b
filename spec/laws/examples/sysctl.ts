import { sh } from '../../../shell/script.ts'
import { kernelParameter } from '../../../modules/kernel-parameter.ts'
import { fileAt } from '../../../modules/file.ts'
import { sysctl } from '../../../modules/sysctl.ts'
import type { Example } from '../../../testing/example.ts'

const path = '/etc/sysctl.d/99-law.conf'

const tuning = () =>
  sysctl('99-law')
    .set('net.core.rmem_default', '16MiB', 'Room for a burst.')
    .set('net.ipv4.udp_mem', [262_144, 524_288, 1_048_576])
    .set('net.ipv4.ip_local_reserved_ports', '8080,9000-9002,8081')
    .set('net.ipv4.conf.lo.rp_filter', 2)

const untuned = sh`rm -f -- ${path}
echo 212992 >/proc/sys/net/core/rmem_default
echo 8670 11562 17340 >/proc/sys/net/ipv4/udp_mem
echo >/proc/sys/net/ipv4/ip_local_reserved_ports
echo 0 >/proc/sys/net/ipv4/conf/lo/rp_filter`

const text = 'net.core.rmem_default = 300000\n'

export const sysctlExamples: readonly Example[] = [
  {
    name: 'sysctl, new',
    task: tuning,
    values: () => [[kernelParameter('net.ipv4.conf.lo.rp_filter'), '0']],
    before: () => untuned,
    proved: 'lab',
  },
  {
    name: 'sysctl, drifted',
    task: tuning,
    values: () => [
      [kernelParameter('net.ipv4.conf.lo.rp_filter'), '2'],
      [kernelParameter('net.core.rmem_default'), '300000'],
      [fileAt(path), { type: 'file', content: { text }, mode: '0600', owner: 'root', group: 'root' }],
    ],
    before: () => sh`${untuned}
echo 300000 >/proc/sys/net/core/rmem_default
printf %s ${text} >${path}`,
    proved: 'lab',
  },
  {
    name: 'sysctl, absent',
    task: () => sysctl('99-law').absent(),
    values: () => [[fileAt(path), { type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }]],
    before: () => sh`printf %s ${text} >${path}`,
    proved: 'lab',
  },
]
