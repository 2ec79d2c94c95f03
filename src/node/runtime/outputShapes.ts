import { CompressError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { openTapped } from '../activations/tap.ts';
import { fittingRandomData } from '../data/fitting.ts';
import { modelInputs } from '../data/inputs.ts';
import { randomData } from '../data/random.ts';
import type { DataSet, Sample } from '../data/types.ts';
import { PART, placesOf, shapesInParts } from './parts.ts';
import type { Session } from './session.ts';

/** Dims of every output for one sample, as ONNX Runtime computes them. */
export type OutputShapes = ReadonlyMap<string, readonly number[]>;

/**
 * Runs the model once, including edits; a large one in parts, to free the memory of each part.
 * @throws CompressError `runtime` if ONNX Runtime is missing, or refuses the model or the sample
 */
export async function outputShapes(model: Model, sample: Pick<Sample, 'feeds'>): Promise<OutputShapes> {
  const places = placesOf(model, PART);
  const shapes = places.length === 0 ? undefined : await shapesInParts(model, sample, places);
  return shapes ?? whole(model, (session) => shapesOf(session, sample.feeds));
}

async function whole<T>(model: Model, use: (session: Session) => Promise<T>): Promise<T> {
  const { session, close } = await openTapped(model, [], 'once');
  try {
    return await use(session);
  } finally {
    await close();
  }
}

async function shapesOf(session: Session, feeds: Sample['feeds']): Promise<OutputShapes> {
  const results = await session.run(feeds);
  return new Map(session.outputNames.map((name) => [name, results[name]?.dims ?? []]));
}

/** A sample, and the shapes of the model's outputs for it. */
export interface ShapedSample {
  readonly sample: Sample;
  readonly shapes: OutputShapes;
}

/**
 * Random inputs that the model accepts.
 * @returns undefined if none were found
 */
export async function runnableSample(model: Model): Promise<ShapedSample | undefined> {
  const inputs = await orNothing(() => modelInputs(model));
  if (inputs === undefined) return undefined;
  const large = placesOf(model, PART).length > 0;
  // Try further lengths with one session, because each of many trials may fail only at the end of the model.
  const usual = large
    ? await orNothing(() => firstOf(randomData(inputs, ONE), (one) => outputShapes(model, one)))
    : undefined;
  if (usual !== undefined) return usual;
  return orNothing(() =>
    whole(model, async (session) => {
      const data = await fittingRandomData(inputs, ONE, (feeds) => session.run(feeds));
      return firstOf(data, ({ feeds }) => shapesOf(session, feeds));
    }),
  );
}

const ONE = { seed: 0, samples: 1 };

async function firstOf(
  data: DataSet,
  shapesFor: (sample: Sample) => Promise<OutputShapes>,
): Promise<ShapedSample | undefined> {
  for await (const sample of data.samples()) return { sample, shapes: await shapesFor(sample) };
  return undefined;
}

/** Undefined if the model does not run, or no inputs are known that it accepts. */
async function orNothing<T>(run: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await run();
  } catch (cause) {
    if (!(cause instanceof CompressError)) throw cause;
    return undefined;
  }
}
