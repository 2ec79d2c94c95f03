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
  /** Which weights the pass was told to take and to leave, as the command line has it. */
  readonly selection?: Partial<SelectionValues>;
  /** What notes call it, where the run has a recipe: `recipe.json, steps[1] 'prune'`. */
  readonly where?: string;
}

/** What came of a step. */
export interface StepDone {
  readonly report: PassReport;
  /** A sentence for each `include` and `exclude` that matches nothing: it is probably mistyped. */
  readonly notes: readonly string[];
}

/** The passes of a verb as steps: the first is the verb's own, what follows it (`store`) takes no selection. */
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
  // What the file noted of itself as a variant is not so any more.
  if (didAnything(report)) model.removeMetadata(VARIANT_KEY);
  const prefix = where === '' ? '' : `${where}: `;
  const notes = unreported(idle, report, model).map(
    ({ option, text }) => `${prefix}\`${option}: ${text}\` matches no weight and no node`,
  );
  return { report, notes };
}

/** What an error says of a step that changed nothing. */
interface Unchanged {
  readonly where: string;
  readonly fact: string;
  /** What to do about it. */
  readonly hint: string;
}

/** How an error tells of a step that changed nothing, given what the step is called. */
export type UnchangedWords = (done: StepDone, where: string) => Unchanged;

/** Skips that such an error tells of. */
const MOST_SKIPS = 5;

/** Whether a pass changed weights, or something else that its report has as a fact. */
function didAnything({ changes, facts = [] }: PassReport): boolean {
  return changes.length > 0 || facts.length > 0;
}

/** The words for programs. */
export function unchangedWords({ report, notes: idle }: StepDone, where: string): Unchanged {
  const { pass, skips, notes } = report;
  const skipped = skips.slice(0, MOST_SKIPS).map(({ weight, detail }) => `${weight}: ${detail}`);
  const fact = [`${pass} found nothing to change`, ...skipped, ...notes, ...idle].join('; ');
  return { where, fact, hint: '`allowUnchanged` writes such a model unchanged.' };
}

/**
 * Refuses a step that changed nothing, unless it may.
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
