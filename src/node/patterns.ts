import { createContext, Script } from 'node:vm';
import { CompressError } from '../errors.ts';

/** How long an expression may take on the names of a model, in milliseconds. */
const MAX_TIME = 2_000;
/** What a call costs that matches at once, in milliseconds: no part of the expression's own time. */
const OVERHEAD = 0.5;
/** Of a long expression, in an error. */
const SHOWN = 100;

const SCRIPT = new Script('names.some((name) => { expression.lastIndex = 0; return expression.test(name); })');
const asked: { expression?: RegExp; names?: readonly string[] } = Object.create(null);
const context = createContext(asked);
/** Milliseconds each expression has taken so far. */
const spent = new WeakMap<RegExp, number>();

/**
 * Whether an expression matches one of these names, as far as that is found out in two seconds: V8 ends a script that takes
 * longer, which a plain call of `RegExp.test` cannot be.
 * @throws CompressError `limit` that names the expression
 */
export function boundedTest(expression: RegExp, names: readonly string[]): boolean {
  const before = spent.get(expression) ?? 0;
  const begun = performance.now();
  Object.assign(asked, { expression, names });
  try {
    return SCRIPT.runInContext(context, { timeout: Math.max(1, Math.ceil(MAX_TIME - before)) }) === true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw cause;
    const { source } = expression;
    const shown = source.length > SHOWN ? `${source.slice(0, SHOWN)}…` : source;
    const fact = `takes more than ${MAX_TIME / 1_000} seconds on the names of this model`;
    const hint = 'Write it without repetitions in repetitions.';
    throw new CompressError('limit', `the expression '${shown}'`, fact, { hint });
  } finally {
    spent.set(expression, before + Math.max(0, performance.now() - begun - OVERHEAD));
  }
}
