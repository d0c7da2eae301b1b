/** What plays may count on: groups, and the variables that hosts have. Any inventory that is chosen is checked against it. */

import { boolean, oneOf, optional, shape, text } from 'fleetplay'

export const fleet = shape({
  vars: {
    /** The name that clients know the platform by. */
    domain: text,
  },
  groups: {
    /** HAProxy: takes the traffic in, and sends the video out. */
    edge: {},
    /** Renders the pages: nginx, php-fpm and WordPress. */
    web: {
      vars: {
        php: oneOf('8.2', '8.3', '8.4'),
        /** The folder of cert.pem and key.pem. */
        tls: text,
        /** Whether cert.pem is from no authority that others know, as in a lab. */
        selfSigned: optional(boolean),
      },
    },
    /** MySQL with the bookings. */
    db: { vars: { schema: text } },
    /** Redis with the sessions. */
    cache: {},
  },
})
