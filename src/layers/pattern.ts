/** Finds out whether an expression matches one of these names. */
export type PatternTester = (expression: RegExp, names: readonly string[]) => boolean;

/** Steps that JavaScript's own engine takes within about 50 ms. */
const QUICK_STEPS = 2e7;
/** Characters of an expression that may cause backtracking. */
const CHOICES = /[*+?{|]/g;
/** A repeated group, or a reference to one: backtracking may be exponential in the name's length. */
const MAY_EXPLODE = /\)[*+?{]|\\[1-9k]/;

let slowTester: PatternTester = plainTest;

/** Sets a tester that can be interrupted, for expressions that may take long; JavaScript alone cannot interrupt one. */
export function setPatternTester(tester: PatternTester): void {
  slowTester = tester;
}

/**
 * Whether an expression matches one of these names. All matching goes through here, because both may be untrusted, and
 * `(a+)+$` on one long name would practically never end.
 */
export function matches(expression: RegExp, names: readonly string[]): boolean {
  return (isQuick(expression, names) ? plainTest : slowTester)(expression, names);
}

function plainTest(expression: RegExp, names: readonly string[]): boolean {
  return names.some((name) => {
    // An expression with flag g or y would continue where it ended on the previous name.
    expression.lastIndex = 0;
    return expression.test(name);
  });
}

function isQuick({ source }: RegExp, names: readonly string[]): boolean {
  // An untyped caller may pass anything with a method `test`.
  if (typeof source !== 'string') return true;
  if (MAY_EXPLODE.test(source)) return false;
  const choices = source.match(CHOICES)?.length ?? 0;
  return names.every((name) => (name.length + 1) ** (choices + 1) <= QUICK_STEPS);
}
