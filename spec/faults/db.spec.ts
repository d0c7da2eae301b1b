import { disturb } from './suite.ts'

disturb('db', { controller: 16, reset: 13, silence: 4, loop: 6, script: 7, sshd: 2, power: 4 })
