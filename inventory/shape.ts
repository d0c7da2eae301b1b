/** What plays may count on: groups, and the variables that hosts have. Any inventory that is chosen is checked against it. */

import { shape, text } from 'fleetplay'

export const fleet = shape({
  vars: { domain: text },
  groups: { edge: {}, web: { vars: { php: text } }, db: { vars: { schema: text } }, cache: {} },
})
