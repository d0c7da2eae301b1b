/** Where what must outlive a run stays on a host: one folder that only its owner reads. */

import { sh } from '../shell/script.ts'

/** Sets `$state`: where XDG_STATE_HOME says, else below /var/lib for root, and in the home of anybody else. */
export const stateFolder = sh`state=$XDG_STATE_HOME/fleetplay
[ "$XDG_STATE_HOME" ] || if [ -w /var/lib ]; then state=/var/lib/fleetplay; else state=$HOME/.local/state/fleetplay; fi`
