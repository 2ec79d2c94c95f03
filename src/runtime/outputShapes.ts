import type { ValueInfo } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import { randomData } from './data/random.ts';
import type { Sample } from './data/types.ts';
import { openTapped } from './tap.ts';

/** Dims of every output of the model for one sample, as ONNX Runtime computes them. */
export type OutputShapes = ReadonlyMap<string, readonly number[]>;

/** Lengths tried for dims that a model leaves open, beside the first: of text, then of images. */
const OPEN_DIMS = [32, 64, 224, 320, 16, 1];

/**
 * Runs the model once, edits included.
 * @throws CompressError `runtime` where ONNX Runtime is missing, or refuses the model or the sample
 */
export async function outputShapes(model: Model, sample: Sample): Promise<OutputShapes> {
  const { session, close } = await openTapped(model, [], { silent: true });
  try {
    const results = await session.run(sample.feeds);
    return new Map(session.outputNames.map((name) => [name, results[name]?.dims ?? []]));
  } finally {
    await close();
  }
}

/**
 * Random inputs that the model runs with: open dims are tried at a few lengths.
 * @returns undefined where it runs with none of them
 */
export async function runnableSample(
  model: Model,
): Promise<{ readonly sample: Sample; readonly shapes: OutputShapes } | undefined> {
  const inputs = model.graph.fedInputs;
  for (const length of inputs.some(isOpen) ? OPEN_DIMS : OPEN_DIMS.slice(0, 1)) {
    try {
      for await (const sample of randomData(
        inputs.map((one) => closed(one, length)),
        { seed: 0, samples: 1 },
      ).samples()) {
        return { sample, shapes: await outputShapes(model, sample) };
      }
    } catch {
      // Another length may do.
    }
  }
  return undefined;
}

function isOpen({ dims }: ValueInfo): boolean {
  return dims?.slice(1).some((dim) => typeof dim !== 'number') === true;
}

function closed(input: ValueInfo, length: number): ValueInfo {
  if (input.dims === undefined) return input;
  return { ...input, dims: input.dims.map((dim, axis) => (axis > 0 && typeof dim !== 'number' ? length : dim)) };
}
