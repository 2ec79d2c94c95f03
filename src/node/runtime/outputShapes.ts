import { CompressError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { openTapped } from '../activations/tap.ts';
import { fittingRandomData } from '../data/fitting.ts';
import { modelInputs } from '../data/inputs.ts';
import { randomData } from '../data/random.ts';
import type { DataSet, Sample } from '../data/types.ts';
import { PART, placesOf, shapesInParts } from './parts.ts';
import type { Session } from './session.ts';

/** Dims of every output of the model for one sample, as ONNX Runtime computes them. */
export type OutputShapes = ReadonlyMap<string, readonly number[]>;

/**
 * Runs the model once, edits included: a large one in parts, which gives each part's memory back.
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

/** A sample, and the shapes that a model gives for it. */
export interface ShapedSample {
  readonly sample: Sample;
  readonly shapes: OutputShapes;
}

/**
 * Random inputs that the model runs with.
 * @returns undefined if none were found
 */
export async function runnableSample(model: Model): Promise<ShapedSample | undefined> {
  const inputs = await orNothing(() => modelInputs(model));
  if (inputs === undefined) return undefined;
  const large = placesOf(model, PART).length > 0;
  // Other lengths than the likeliest are tried with one session: each of many may fail at the end of the model.
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

/** Undefined if the model does not run, or it is not known with what. */
async function orNothing<T>(run: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await run();
  } catch (cause) {
    if (!(cause instanceof CompressError)) throw cause;
    return undefined;
  }
}
