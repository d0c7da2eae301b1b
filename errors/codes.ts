/** Every way in which things go wrong, with its meaning. Codes are never reused. */

export const codes = {
  // Saying: a wrong play, inventory or option. Told before any connection.
  E_PLAY_INVALID: 'A task of the play was given something that it cannot take.',
  E_PLAY_THREW: 'The code of the play threw an error of its own.',
  E_PLAY_CONFLICT: 'Two tasks wish different values for one place.',
  E_PLAY_NOT_FOUND: 'There is no such play.',
  E_PLAY_UNLOADABLE: 'The file could not be loaded as TypeScript.',
  E_PLAY_TYPES: 'The play does not type-check.',
  E_PLAY_IMPURE: 'A play is a value; this reads a clock, randomness or the world.',
  E_INVENTORY_INVALID: 'The inventory does not fit the shape.',
  E_INVENTORY_NOT_FOUND: 'There is no such inventory.',
  E_PATTERN: 'A host pattern names something that the inventory does not have, or matches nothing.',
  E_OPTION: 'An option of the command line is wrong.',
  E_RECORD: 'What a run does cannot be recorded, so it is not done.',
  E_RUN_NOT_FOUND: 'There is no such run on record, or its record cannot be read.',
  E_SECRET: 'The value of a secret could not be had, or cannot be one.',
  E_PLAN_FILE: 'The file is no plan that can be applied, or was applied already.',
  // Reaching: the host is unreachable.
  E_CONNECT: 'The host did not answer, or the connection broke.',
  E_CONNECTION_LOST: 'The connection broke in the middle of the work.',
  E_HOST_KEY_UNKNOWN: 'The host showed a key that known_hosts does not have.',
  E_HOST_KEY_CHANGED: 'The host showed another key than known_hosts has.',
  E_HOST_KEY_REVOKED: 'The host showed a key that known_hosts has revoked.',
  E_AUTH: 'The host refused every way to log in that was tried.',
  E_BECOME: 'The session as another user could not be started.',
  E_GREETING: 'The host answered, but not as a POSIX shell.',
  // Doing: a task failed on a host.
  E_LOCKED: 'Another run works on the host, or its lock could not be taken.',
  E_REFUSED: 'The module refused the change in the plan.',
  E_UNREADABLE: 'A place on the host could not be read.',
  E_PROBE_UNPARSABLE: 'The host answered a question in a form that is not understood.',
  E_COMMAND: 'A command on the host failed.',
  E_GUARD: 'A configuration test failed after the change, which was put back.',
  E_LOCKED_OUT: 'Nobody could log in after the change, which the host puts back.',
  E_UNEXPECTED: 'What was observed is not what was expected.',
  E_NOT_CONVERGED: 'The change was made without an error, yet the host is not as desired.',
  E_DEADLINE: 'It took longer than its deadline, and was ended.',
  E_REACTION: 'A handler failed.',
  E_MOVED: 'The host is not as the plan saw it, or not as the run left it.',
  E_FACT_MISSING: 'The play needs a fact that this host does not have.',
  E_MOCK: 'A mock host was asked something that the test says nothing of.',
  // Looking back: what earlier runs left.
  // Our own fault.
  E_INTERNAL: 'fleetplay itself is wrong. Please report it.',
} as const

export type Code = keyof typeof codes
