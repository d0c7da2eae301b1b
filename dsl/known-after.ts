/** A part of a value that the host chooses when it is written, such as the number of a new account. */

/** Stands in a desired value for what is known only after it was written; the proof takes whatever is there. */
export const knownAfterApply = '(known after apply)'
