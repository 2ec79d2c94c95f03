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

/** A step of a recipe that was checked. */
export interface ReadyStep {
  readonly verb: StepVerb;
  /** The values of its options, as the verb's table gives them. */
  readonly values: object;
  /** The verb's own, then what follows it. */
  readonly passes: readonly Pass[];
  /** Changing nothing is not an error. */
  readonly allowUnchanged: boolean;
}

/** How steps are made ready. */
export interface ReadyOptions {
  readonly run: StepRun;
  /** Values that no recipe can have. */
  readonly further?: { readonly saveRanges: string };
  /** An error about options as the caller names them; by key if omitted. */
  readonly said?: (error: CompressError, table: AnyTable) => CompressError;
}

/**
 * Makes a step of a recipe ready to run: checks it by the table of its verb, as a command line is, and makes its
 * passes.
 * @param where - what errors call it
 * @throws CompressError `options` naming the step; `data` and `io` where a file it names is broken
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

/** The step that a verb's values are: every one that is not as it is by default. */
export function stepOf(verb: StepVerb, values: object): RecipeStep {
  const options = new Map<string, RecipeValue>();
  const given = values as { readonly [key: string]: RecipeValue | undefined };
  for (const [key, row] of stepRows(TABLES[verb])) {
    const value = given[key];
    if (value !== undefined && value !== false && value !== row.default) options.set(key, value);
  }
  return { verb, options };
}
