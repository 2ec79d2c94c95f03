import { CompressError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { openTapped } from '../activations/tap.ts';
import { fittingRandomData } from '../data/fitting.ts';
import { modelInputs } from '../data/inputs.ts';
import type { Sample } from '../data/types.ts';
import type { Session } from './session.ts';

/** Dims of every output of the model for one sample, as ONNX Runtime computes them. */
export type OutputShapes = ReadonlyMap<string, readonly number[]>;

/**
 * Runs the model once, edits included.
 * @throws CompressError `runtime` if ONNX Runtime is missing, or refuses the model or the sample
 */
export async function outputShapes(model: Model, sample: Sample): Promise<OutputShapes> {
  const { session, close } = await openTapped(model, [], 'once');
  try {
    return await shapesOf(session, sample);
  } finally {
    await close();
  }
}

async function shapesOf(session: Session, sample: Sample): Promise<OutputShapes> {
  const results = await session.run(sample.feeds);
  return new Map(session.outputNames.map((name) => [name, results[name]?.dims ?? []]));
}

/**
 * Random inputs that the model runs with.
 * @returns undefined if none were found
 */
export async function runnableSample(
  model: Model,
): Promise<{ readonly sample: Sample; readonly shapes: OutputShapes } | undefined> {
  try {
    const { session, close } = await openTapped(model, [], 'once');
    try {
      const inputs = await modelInputs(model);
      const data = await fittingRandomData(inputs, { seed: 0, samples: 1 }, (feeds) => session.run(feeds));
      for await (const sample of data.samples()) return { sample, shapes: await shapesOf(session, sample) };
    } finally {
      await close();
    }
  } catch (cause) {
    // The model does not run, or nobody knows with what.
    if (!(cause instanceof CompressError)) throw cause;
  }
  return undefined;
}
