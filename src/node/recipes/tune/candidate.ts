import { join, resolve } from 'node:path';
import { CompressError } from '../../../errors.ts';
import type { Change } from '../../../layers/skip.ts';
import { inputByteLength } from '../../../onnx/size.ts';
import { transform } from '../../../passes/pass.ts';
import type { RecipeStep } from '../../../passes/recipe.ts';
import type { Layer } from '../../../passes/tune/search.ts';
import { readModel, writeModel } from '../../model.ts';
import { expectWork } from '../../threads/work.ts';
import { needsRangesAlone } from '../quantize.ts';
import { runStep, type Step, type StepDone, stepsWith } from '../runStep.ts';
import { type ReadyOptions, type ReadyStep, readyStep } from '../steps.ts';

/** A selection that was made a model. */
export interface Made extends StepDone {
  /** Of the quantization alone. */
  readonly step: Step;
  /** Size of the model. */
  readonly bytes: number;
}

/** Makes models by the same options, but for the layers that stay float. */
export class Candidates {
  readonly #step: RecipeStep;
  readonly #how: ReadyOptions;
  /** The folder with the ranges of activations, where they can be kept between candidates. */
  readonly #folder: string | undefined;
  /** Files of ranges by the path of the model. */
  readonly #ranges = new Map<string, string>();

  /**
   * @param step - how to quantize
   * @param folder - of this process alone, for as long as there are candidates
   */
  constructor(step: RecipeStep, folder: string, how: ReadyOptions) {
    this.#step = step;
    this.#how = how;
    this.#folder = needsRangesAlone(Object.fromEntries(step.options)) ? folder : undefined;
  }

  /** The step with these layers left float, for a recipe. */
  step(float: readonly string[]): RecipeStep {
    if (float.length === 0) return this.#step;
    const given = this.#step.options.get('exclude');
    const exclude = [...(Array.isArray(given) ? (given as string[]) : []), ...float.map(exactly)];
    return { ...this.#step, options: new Map([...this.#step.options, ['exclude', exclude]]) };
  }

  /**
   * Refuses a step that cannot be, before anything is run.
   * @throws CompressError `options`
   */
  async check(): Promise<void> {
    await readyStep(this.#step, '', this.#how);
  }

  /**
   * {@link step}, ready to run. A model is calibrated once, if its ranges are all that the data tells: those of the
   * first selection serve the others.
   * @param from - path of the float model
   */
  async ready(from: string, float: readonly string[]): Promise<ReadyStep> {
    const step = this.step(float);
    if (this.#folder === undefined) return readyStep(step, '', this.#how);
    const ranges = this.#ranges.get(resolve(from));
    if (ranges === undefined) {
      const saveRanges = join(this.#folder, `ranges${this.#ranges.size}.json`);
      this.#ranges.set(resolve(from), saveRanges);
      const run = { ...this.#how.run, overwrite: true };
      return readyStep(step, '', { ...this.#how, run, further: { saveRanges } });
    }
    const options = new Map(step.options);
    options.delete('calibrate');
    options.set('ranges', ranges);
    return readyStep({ ...step, options }, '', this.#how);
  }

  /**
   * Makes a model with these layers left float.
   * @param from - path of the float model
   * @param to - where it goes
   */
  async make(from: string, to: string, float: readonly string[]): Promise<Made> {
    const { values, ...ready } = await this.ready(from, float);
    const [first, ...rest] = stepsWith(ready.passes, { ...ready, selection: values });
    if (first === undefined) throw new CompressError('internal', from, 'quantize has no pass');
    const model = await readModel(from);
    expectWork(inputByteLength(model));
    try {
      const done = await runStep(first, model);
      await transform(model, ...rest.map((one) => one.pass));
      const written = await writeModel(model, to);
      return { ...done, step: first, bytes: written.byteLength + written.dataByteLength };
    } finally {
      await model.close();
    }
  }
}

/** The weights that were quantized, as layers: several of one name stay float together, because the name says so. */
export function changedLayers(changes: readonly Change[]): Layer[] {
  const layers = new Map<string, number>();
  for (const { weight, before, after } of changes) layers.set(weight, (layers.get(weight) ?? 0) + before - after);
  return [...layers].map(([name, saved]) => ({ name, saved }));
}

/** A regular expression that matches this name alone, valid with the flag `u`. */
export function exactly(name: string): string {
  return `^${name.replaceAll(/[\^$\\.*+?()[\]{}|/]/g, '\\$&')}$`;
}
