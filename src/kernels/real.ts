/**
 * A number that may be infinite or NaN. JSON has no such numbers, so there it is a string: `Infinity`, `-Infinity` or
 * `NaN`, which `Number()` and Python's `float()` accept.
 */
export type ExtendedReal = number;
