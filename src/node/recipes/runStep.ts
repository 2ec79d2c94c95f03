import { CompressError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import type { SelectionValues } from '../../options/common.ts';
import type { Pass, PassReport, Watch } from '../../passes/pass.ts';
import { VARIANT_KEY } from '../../passes/variants/names.ts';
import { unmatched, unreported } from './idle.ts';

/** A pass of a run. */
export interface Step {
  readonly pass: Pass;
  /** Changing nothing is not an error. */
  readonly allowUnchanged: boolean;
  /** The weights that the pass includes and excludes, as command line patterns. */
  readonly selection?: Partial<SelectionValues>;
  /** How notes refer to it, if the run has a recipe: `recipe.json, steps[1] 'prune'`. */
  readonly where?: string;
}

/** The result of a step. */
export interface StepDone {
  readonly report: PassReport;
  /** A sentence for each `include` and `exclude` that matches nothing: it is probably mistyped. */
  readonly notes: readonly string[];
}

/** The passes of a verb as steps. The first is the verb's own; what follows (`store`) has no selection. */
export function stepsWith(passes: readonly Pass[], common: Omit<Step, 'pass'>): Step[] {
  const { allowUnchanged } = common;
  return passes.map((pass, index) => (index === 0 ? { ...common, pass } : { pass, allowUnchanged }));
}

/** Runs the pass of a step. */
export async function runStep(
  { pass, selection = {}, where = '' }: Step,
  model: Model,
  watch?: Watch,
): Promise<StepDone> {
  const idle = unmatched(model, selection);
  const report = await pass.run(model, watch);
  // The file's note that it is a variant is no longer true.
  if (didAnything(report)) model.removeMetadata(VARIANT_KEY);
  const prefix = where === '' ? '' : `${where}: `;
  const notes = unreported(idle, report, model).map(
    ({ option, text }) => `${prefix}\`${option}: ${text}\` matches no weight and no node`,
  );
  return { report, notes };
}

/** The error for a step that changed nothing. */
interface Unchanged {
  readonly where: string;
  readonly fact: string;
  /** What to do about it. */
  readonly hint: string;
}

/** Creates the error text for a step that changed nothing, given the name of the step. */
export type UnchangedWords = (done: StepDone, where: string) => Unchanged;

/** Maximum number of skips in such an error. */
const MOST_SKIPS = 5;

/** Whether a pass changed weights, or has other facts in its report. */
function didAnything({ changes, facts = [] }: PassReport): boolean {
  return changes.length > 0 || facts.length > 0;
}

/** The error text for programs. */
export function unchangedWords({ report, notes: idle }: StepDone, where: string): Unchanged {
  const { pass, skips, notes } = report;
  const skipped = skips.slice(0, MOST_SKIPS).map(({ weight, detail }) => `${weight}: ${detail}`);
  const fact = [`${pass} found nothing to change`, ...skipped, ...notes, ...idle].join('; ');
  return { where, fact, hint: '`allowUnchanged` writes such a model unchanged.' };
}

/**
 * Refuses a step that changed nothing, unless that is allowed.
 * @throws CompressError `nothing_to_do` that says why nothing was changed
 */
export function refuseUnchanged(
  { pass, allowUnchanged }: Step,
  done: StepDone,
  called: string,
  words: UnchangedWords = unchangedWords,
): void {
  if (allowUnchanged || pass.optional === true || didAnything(done.report)) return;
  const { where, fact, hint } = words(done, called);
  throw new CompressError('nothing_to_do', where, fact, { hint });
}
