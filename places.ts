/** The places that modules read and write, by which tests say what a mock host has. */

export { authorizedKeys } from './modules/authorized-key.ts'
export { crontab } from './modules/crontab.ts'
export { fileAt } from './modules/file.ts'
export { kernelParameter } from './modules/kernel-parameter.ts'
export { localGroup } from './modules/group.ts'
export { columnHistogram, databaseServer } from './modules/mysql/column-histogram.ts'
export { haproxyVersion, nginxVersion } from './modules/nginx/software.ts'
export { listeningSocket } from './modules/systemd/listening.ts'
export { rootQdisc } from './modules/tc/root-qdisc.ts'
export { debianPackage, packageRemains, pendingUpgrade } from './modules/package-places.ts'
export { account } from './modules/user.ts'
export { unit } from './modules/unit.ts'
