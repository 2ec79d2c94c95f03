import type { Model } from '../ir/model.ts';
import { unmatched, unreported } from '../node/recipes/idle.ts';
import type { SelectionValues } from '../options/common.ts';
import type { Pass, PassReport, Watch } from '../passes/pass.ts';
import { reportWithDashes } from './dashes.ts';

/** A pass of a run. */
export interface Step {
  readonly pass: Pass;
  /** Changing nothing is no error. */
  readonly allowUnchanged: boolean;
  /** Which weights the pass was told to take and to leave, as the command line has it. */
  readonly selection?: Partial<SelectionValues>;
  /** What notes call it, where the run has a recipe: `recipe.json, steps[1] 'prune'`. */
  readonly where?: string;
}

/** What came of a step. */
export interface StepDone {
  readonly report: PassReport;
  /** A sentence for each --include and --exclude that matches nothing: it is probably mistyped. */
  readonly notes: readonly string[];
}

/** The passes of a verb as steps: the first is the verb's own, what follows it (--store) takes no selection. */
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
  const report = reportWithDashes(await pass.run(model, watch));
  const prefix = where === '' ? '' : `${where}: `;
  const notes = unreported(idle, report, model).map(
    ({ option, text }) => `${prefix}--${option} ${text} matches no weight and no node`,
  );
  return { report, notes };
}
