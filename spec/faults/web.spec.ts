import { disturb } from './suite.ts'

disturb('web', { controller: 3, reset: 2, silence: 1, loop: 1, script: 2, sshd: 1, power: 2 })
