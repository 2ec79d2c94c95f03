import { CompressError, type ErrorCode } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { modelOrigins } from '../../onnx/origin.ts';
import { defined } from '../../options/values.ts';
import { openTapped } from '../activations/tap.ts';
import { type DataFor, fittingRandomData } from '../data/fitting.ts';
import { modelInputs } from '../data/inputs.ts';
import { openData } from '../data/open.ts';
import type { DataSet } from '../data/types.ts';

/** The word for random inputs; a file with this name is written as ./random. */
export const RANDOM = 'random';

/** Number of random rows. */
export const RANDOM_ROWS = 32;

/** The data of a run: a path or the word `random`, the number of rows, and the rows per run. */
interface Given {
  readonly data?: string | undefined;
  readonly samples?: number | undefined;
  readonly batch?: number | undefined;
}

/** The number of rows, and the rows per run. */
interface Sizes {
  readonly batch?: number;
  readonly samples?: number;
}

/**
 * The given data, or random inputs. If the data does not fit a decoder, the decoder is fed what the other models of its
 * folder make of the data.
 */
export async function dataOf(model: Model, options: Given): Promise<{ data: DataSet; random: boolean }> {
  const { data: path = '', batch, samples } = options;
  const sizes = defined({ batch, samples });
  const random = path === RANDOM;
  return { data: random ? await randomFor(model, sizes) : await rowsFor(model, path, sizes), random };
}

async function rowsFor(model: Model, path: string, sizes: Sizes): Promise<DataSet> {
  try {
    return await openData(path, model.graph.fedInputs, sizes);
  } catch (cause) {
    if (!(cause instanceof CompressError) || cause.code !== 'data') throw cause;
    // Errors about data for the encoder say nothing about this model.
    const made = await written(model, (inputs) => openData(path, inputs, sizes)).catch(passOver('data'));
    if (made === undefined) throw cause;
    return made;
  }
}

/** Random inputs that the model accepts; for a decoder, what the models of its folder make of random inputs. */
async function randomFor(model: Model, sizes: Sizes): Promise<DataSet> {
  const settings = { seed: 0, samples: RANDOM_ROWS, ...sizes };
  const made = written(model, (inputs, trial) => fittingRandomData(inputs, settings, trial));
  const data = await made.then(runnable).catch(passOver('data', 'runtime', 'unsupported'));
  return data ?? randomAlone(model, sizes);
}

/** The inputs of a decoder when the models of its folder generate text; undefined if the model is not a decoder. */
async function written(model: Model, dataFor: DataFor): Promise<DataSet | undefined> {
  const path = modelOrigins.get(model)?.folder?.modelPath;
  if (path === undefined) return undefined;
  return (await import('./generation/fed.ts')).decoderData(path, dataFor);
}

/** The same data, if its first sample can be read. */
async function runnable(data: DataSet | undefined): Promise<DataSet | undefined> {
  for await (const _ of data?.samples() ?? []) break;
  return data;
}

/** Turns errors of these kinds into undefined. */
function passOver(...codes: readonly ErrorCode[]): (cause: unknown) => undefined {
  return (cause) => {
    if (!(cause instanceof CompressError) || !codes.includes(cause.code)) throw cause;
    return undefined;
  };
}

async function randomAlone(model: Model, sizes: Sizes): Promise<DataSet> {
  const inputs = await modelInputs(model);
  const { session, close } = await openTapped(model, []);
  try {
    const settings = { seed: 0, samples: RANDOM_ROWS, option: 'calibrate', ...sizes };
    return await fittingRandomData(inputs, settings, (feeds) => session.run(feeds));
  } finally {
    await close();
  }
}
