import type { Model } from '../../ir/model.ts';
import { openTapped } from '../activations/tap.ts';
import { fittingRandomData } from '../data/fitting.ts';
import { modelInputs } from '../data/inputs.ts';
import { openData } from '../data/open.ts';
import type { DataSet } from '../data/types.ts';

/** The word that stands for random inputs; a file of this name is ./random. */
export const RANDOM = 'random';

/** How many rows of them there are. */
export const RANDOM_ROWS = 32;

/** Which data a run is given: a path or the word `random`, the first rows of it, and how many are fed at once. */
interface Given {
  readonly data?: string | undefined;
  readonly samples?: number | undefined;
  readonly batch?: number | undefined;
}

/** The data that a run is given, or random inputs. */
export async function dataOf(model: Model, options: Given): Promise<{ data: DataSet; random: boolean }> {
  const inputs = model.graph.fedInputs;
  const { batch, samples } = options;
  const sizes = { ...(batch === undefined ? {} : { batch }), ...(samples === undefined ? {} : { samples }) };
  const random = options.data === RANDOM;
  const data = random ? await randomFor(model, sizes) : await openData(options.data ?? '', inputs, sizes);
  return { data, random };
}

/** Random inputs that the model runs with. */
async function randomFor(
  model: Model,
  sizes: { readonly batch?: number; readonly samples?: number },
): Promise<DataSet> {
  const inputs = await modelInputs(model);
  const { session, close } = await openTapped(model, []);
  try {
    const settings = { seed: 0, samples: RANDOM_ROWS, option: 'calibrate', ...sizes };
    return await fittingRandomData(inputs, settings, (feeds) => session.run(feeds));
  } finally {
    await close();
  }
}
