import { join, resolve } from 'node:path';
import { CompressError } from '../../../errors.ts';
import { inputByteLength } from '../../../onnx/size.ts';
import { transform } from '../../../passes/pass.ts';
import type { RecipeStep } from '../../../passes/recipe.ts';
import { readModel, writeModel } from '../../model.ts';
import { expectWork } from '../../threads/work.ts';
import { needsRangesAlone } from '../quantize.ts';
import { runStep, type Step, type StepDone, stepsWith } from '../runStep.ts';
import { type ReadyOptions, type ReadyStep, readyStep } from '../steps.ts';
import { exactly } from './layers.ts';

/** The model made from a selection. */
export interface Made extends StepDone {
  /** The step of the quantization alone. */
  readonly step: Step;
  /** Size of the model. */
  readonly bytes: number;
}

/** Makes models with the same options that differ only in the layers that stay float. */
export class Candidates {
  readonly #step: RecipeStep;
  readonly #how: ReadyOptions;
  /** The folder for ranges of activations, if they can be shared between candidates. */
  readonly #folder: string | undefined;
  /** Files of ranges by the path of the model. */
  readonly #ranges = new Map<string, string>();

  /**
   * @param step - how to quantize
   * @param folder - used only by this process, while there are candidates
   */
  constructor(step: RecipeStep, folder: string, how: ReadyOptions) {
    this.#step = step;
    this.#how = how;
    this.#folder = needsRangesAlone(Object.fromEntries(step.options)) ? folder : undefined;
  }

  /** The step with these layers excluded, for a recipe. */
  step(float: readonly string[]): RecipeStep {
    if (float.length === 0) return this.#step;
    const given = this.#step.options.get('exclude');
    const exclude = [...(Array.isArray(given) ? (given as string[]) : []), ...float.map(exactly)];
    return { ...this.#step, options: new Map([...this.#step.options, ['exclude', exclude]]) };
  }

  /**
   * Refuses an invalid step before anything is run.
   * @throws CompressError `options`
   */
  async check(): Promise<void> {
    await readyStep(this.#step, '', this.#how);
  }

  /**
   * Prepares {@link step}. If ranges are all that is needed from the data, a model is calibrated only once, and other
   * selections use the ranges of the first one.
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
   * @param to - path of the result
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
