import { createContext, Script } from 'node:vm';
import { CompressError } from '../errors.ts';
import type { PatternTester } from '../layers/pattern.ts';

/** Maximum time for an expression on the names of a model, in milliseconds. */
const MAX_TIME = 2_000;
/** Time of a call that matches at once, in milliseconds; it is not counted as time of the expression. */
const OVERHEAD = 0.5;
/** Maximum length of an expression in an error. */
const SHOWN = 100;

const SCRIPT = new Script('names.some((name) => { expression.lastIndex = 0; return expression.test(name); })');
const asked: { expression?: RegExp; names?: readonly string[] } = Object.create(null);
const context = createContext(asked);
/**
 * Tests names with a time limit: V8 can stop a script that takes too long, but not a plain call of `RegExp.test`.
 * @param limit - maximum time for an expression on all names it is tested on, in milliseconds
 * @returns a function that throws CompressError `limit`, with the expression, if it takes longer
 */
export function boundedTester(limit: number = MAX_TIME): PatternTester {
  /** Milliseconds used by each expression so far. */
  const spent = new WeakMap<RegExp, number>();
  return (expression, names) => {
    const before = spent.get(expression) ?? 0;
    const begun = performance.now();
    Object.assign(asked, { expression, names });
    try {
      return SCRIPT.runInContext(context, { timeout: Math.max(1, Math.ceil(limit - before)) }) === true;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw cause;
      throw tooLong(expression, limit);
    } finally {
      spent.set(expression, before + Math.max(0, performance.now() - begun - OVERHEAD));
    }
  };
}

function tooLong({ source }: RegExp, limit: number): CompressError {
  const shown = source.length > SHOWN ? `${source.slice(0, SHOWN)}…` : source;
  const fact = `takes more than ${limit / 1_000} seconds on the names of this model`;
  const hint = 'Avoid nested repetitions, such as (a+)+.';
  return new CompressError('limit', `the expression '${shown}'`, fact, { hint });
}
