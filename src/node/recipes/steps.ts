import { CompressError } from '../../errors.ts';
import type { AnyTable } from '../../options/option.ts';
import { checkKeys, stepRows, stepVerb } from '../../options/step.ts';
import { TABLES } from '../../options/tables.ts';
import { valuesOf } from '../../options/values.ts';
import type { StepVerb } from '../../options/verbs.ts';
import type { Pass } from '../../passes/pass.ts';
import type { RecipeStep, RecipeValue } from '../../passes/recipe.ts';
import { mayChangeNothing, passesOf } from './passes.ts';
import type { StepRun } from './stepRun.ts';

/** A validated step of a recipe. */
export interface ReadyStep {
  readonly verb: StepVerb;
  /** The values of its options, from the verb's table. */
  readonly values: object;
  /** The verb's own pass, then those that follow. */
  readonly passes: readonly Pass[];
  /** Changing nothing is not an error. */
  readonly allowUnchanged: boolean;
}

/** How to prepare steps. */
export interface ReadyOptions {
  readonly run: StepRun;
  /** Values that recipes cannot have. */
  readonly further?: { readonly saveRanges: string };
  /** Rewrites an error about options in the caller's terms; by key if omitted. */
  readonly said?: (error: CompressError, table: AnyTable) => CompressError;
}

/**
 * Prepares a step of a recipe: validates it by the table of its verb, like a command line, and creates its passes.
 * @param where - what errors call it
 * @throws CompressError `options` naming the step; `data` and `io` if a file it names is broken
 */
export async function readyStep({ verb, options }: RecipeStep, where: string, how: ReadyOptions): Promise<ReadyStep> {
  const known = stepVerb(verb, where);
  checkKeys(known, options, where);
  const table = TABLES[known];
  try {
    const values: object = valuesOf(table, { ...Object.fromEntries(options), ...how.further });
    const passes = await passesOf(known, values, how.run);
    return { verb: known, values, passes, allowUnchanged: mayChangeNothing(known, values) };
  } catch (cause) {
    if (!(cause instanceof CompressError) || cause.code !== 'options') throw cause;
    const { message, hint } = how.said?.(cause, table) ?? cause;
    throw new CompressError('options', where, message, hint === undefined ? { cause } : { cause, hint });
  }
}

/** The step for a verb's values; values equal to their default are omitted. */
export function stepOf(verb: StepVerb, values: object): RecipeStep {
  const options = new Map<string, RecipeValue>();
  const given = values as { readonly [key: string]: RecipeValue | undefined };
  for (const [key, row] of stepRows(TABLES[verb])) {
    const value = given[key];
    if (value !== undefined && value !== false && value !== row.default) options.set(key, value);
  }
  return { verb, options };
}
