import { disturb } from './suite.ts'

disturb('front', { controller: 6, reset: 4, silence: 1, loop: 2, script: 3, sshd: 1, power: 4 })
