/**
 * A number that may be infinite or NaN. JSON has no such numbers: there it is a string then, `Infinity`, `-Infinity`
 * or `NaN`, which `Number()` and Python's `float()` accept.
 */
export type ExtendedReal = number;
