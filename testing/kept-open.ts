/** A host for several runs: each closes its hosts when it ends. */

import type { Host } from '../engine/host.ts'

/** The same host, which stays open at the end of a run. */
export function keptOpen(host: Host): Host {
  return {
    name: host.name,
    get trips() {
      return host.trips
    },
    facts: (as) => host.facts(as),
    read: (resources, as) => host.read(resources, as),
    apply: (steps, as) => host.apply(steps, as),
    anew: (steps, as) => host.anew(steps, as),
    ask: (view) => host.ask(view),
    pause: (seconds) => host.pause(seconds),
    react: (handlers, as) => host.react(handlers, as),
    close: async () => {},
  }
}
