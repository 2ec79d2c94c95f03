/** Finds out whether an expression matches one of these names. */
export type PatternTester = (expression: RegExp, names: readonly string[]) => boolean;

/** Steps that JavaScript's own engine takes within some 50 ms. */
const QUICK_STEPS = 2e7;
/** What stands in an expression that may try several ways. */
const CHOICES = /[*+?{|]/g;
/** A repeated group, or a reference to one: the ways may be more than any power of the name's length. */
const MAY_EXPLODE = /\)[*+?{]|\\[1-9k]/;

let slowTester: PatternTester = plainTest;

/**
 * Has expressions that may take long tested by something that can be ended, which JavaScript alone has no means for.
 */
export function setPatternTester(tester: PatternTester): void {
  slowTester = tester;
}

/**
 * Whether an expression matches one of these names: the one place that asks it, because both may come from a recipe and
 * a model from a stranger, and `(a+)+$` on one long name takes longer than the age of the universe.
 */
export function matches(expression: RegExp, names: readonly string[]): boolean {
  return (isQuick(expression, names) ? plainTest : slowTester)(expression, names);
}

function plainTest(expression: RegExp, names: readonly string[]): boolean {
  return names.some((name) => {
    // One with the flag g or y begins where it ended on the name before.
    expression.lastIndex = 0;
    return expression.test(name);
  });
}

function isQuick({ source }: RegExp, names: readonly string[]): boolean {
  // A program without types may give anything that has a method `test`.
  if (typeof source !== 'string') return true;
  if (MAY_EXPLODE.test(source)) return false;
  const choices = source.match(CHOICES)?.length ?? 0;
  return names.every((name) => (name.length + 1) ** (choices + 1) <= QUICK_STEPS);
}
