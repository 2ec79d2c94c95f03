import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { CompressError } from '../../errors.ts';
import { byteLengthOf, elementCount } from '../../ir/dtype.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import { checkShape, type Kind, type Shape } from '../../options/check.ts';
import { elementsFrom } from './convert.ts';
import type { ModelInput } from './inputs.ts';
import { type Lengths, OpenDims } from './lengths.ts';
import type { DataSet, FeedTensor, Sample } from './types.ts';

/** Number of rows, seed and lengths of random inputs. */
export interface RandomOptions {
  readonly seed: number;
  readonly batch?: number;
  readonly samples?: number;
  /** Lengths of open dimensions; the usual ones if omitted. */
  readonly lengths?: Lengths;
  /** The option that hints name for real inputs: `data` if omitted. */
  readonly option?: string;
}

/** Zero is allowed, because a model may fix its batch at 0. */
const ROWS: Kind = { kind: 'whole', help: '', group: '' };
const SHAPE: Shape<RandomOptions> = {
  ...{ seed: 'number', samples: ROWS, batch: ROWS },
  ...{ lengths: 'object', option: 'text' },
};

/**
 * Refuses unknown options and values of the wrong kind.
 * @param name - the function that takes them
 * @throws CompressError `options`
 */
export function checkRandom(name: string, options: RandomOptions): void {
  checkShape(name, options, SHAPE, ['seed']);
}

/** Default number of runs. */
const RUNS = 8;
/** Maximum bytes of a generated input: a model may state any length. */
export const MAX_INPUT_BYTES: number = 1 << 30;

/**
 * Seeded random inputs: floats uniform in [−1, 1), integers and booleans 0 or 1. {@link ModelInput} may say more:
 * indices within their table, masks of ones, lengths of other inputs. An open first dimension is `batch` (1),
 * dimensions with the same name have the same length, and other open ones are 32.
 * @throws CompressError `data` for an input whose type or rank the model does not state, `limit` if one is too large,
 * `options`
 */
export function randomData(inputs: readonly ModelInput[], options: RandomOptions): DataSet {
  checkRandom('randomData', options);
  const { seed, batch = 1, samples = RUNS * batch, lengths = new Map(), option = 'data' } = options;
  // A model may fix its batch at 0.
  const runs = Math.max(1, Math.ceil(samples / Math.max(1, batch)));
  const open = new OpenDims(inputs);
  const shaped = inputs.map((input): Shaped => {
    if (input.dtype === undefined) throw unknown(input, 'values of a type other than tensor', option);
    if (elementsFrom(input.dtype, 0, () => 0) === undefined)
      throw unknown(input, `values of type ${input.dtype}`, option);
    if (input.dims === undefined) throw unknown(input, 'values of unknown rank', option);
    const dims = open.dims(input, batch, lengths);
    const length = elementCount(dims);
    if (byteLengthOf(input.dtype, length) > MAX_INPUT_BYTES) {
      const fact = `is ${input.dtype} [${dims.join(', ')}]; random inputs are limited to ${MAX_INPUT_BYTES} bytes`;
      throw new CompressError('limit', `input '${input.name}'`, fact, hint(option));
    }
    return { input, dtype: input.dtype, dims, length };
  });
  const longest = lengthOf(inputs, shaped);
  return {
    description: `random inputs, seed ${seed}`,
    count: runs,
    async *samples(): AsyncGenerator<Sample> {
      const generator = xoroshiro128plus(seed);
      const bits = (): number => generator.next() >>> 0;
      for (let run = 0; run < runs; run++) {
        // Without a prototype, because an input may be named __proto__.
        const feeds: Record<string, FeedTensor> = Object.create(null);
        for (const one of shaped) feeds[one.input.name] = fill(one, longest, bits);
        yield { label: `random inputs, run ${run}`, feeds };
      }
    },
  };
}

/** An input with chosen dims. */
interface Shaped {
  readonly input: ModelInput;
  readonly dtype: NonNullable<ValueInfo['dtype']>;
  readonly dims: readonly number[];
  readonly length: number;
}

/** The value of an input that states a length: of the first open dim after the rows, or of an array's last dim. */
function lengthOf(inputs: readonly ModelInput[], shaped: readonly Shaped[]): number {
  const arrays = shaped.filter((one) => one.dims.length >= 2);
  for (const { input, dims } of arrays) {
    const at = input.dims?.findIndex((dim, axis) => axis > 0 && typeof dim !== 'number') ?? -1;
    if (at > 0) return dims[at] as number;
  }
  return inputs.length === 0 ? 1 : (arrays[0]?.dims.at(-1) ?? 1);
}

function fill({ input, dtype, dims, length }: Shaped, longest: number, bits: () => number): FeedTensor {
  const { fill: how } = input;
  // Use the high bits: the lowest ones of this generator are its weakest.
  const real = (): number => bits() / 2 ** 31 - 1;
  const bit = (): number => bits() >>> 31;
  let next = dtype.startsWith('float') ? real : bit;
  if (how?.kind === 'below') next = () => Math.floor((bits() / 2 ** 32) * how.bound);
  if (how?.kind === 'constant') next = () => how.value;
  if (how?.kind === 'length') next = () => longest;
  const data = elementsFrom(dtype, length, next);
  if (data === undefined) throw new CompressError('internal', `input '${input.name}'`, `no elements of ${dtype}`);
  return { dtype, dims, data };
}

function unknown(input: ValueInfo, what: string, option: string): CompressError {
  return new CompressError('data', `input '${input.name}'`, `random ${what} cannot be generated for it`, hint(option));
}

/** What to do if random inputs are not possible. */
export function hint(option: string): { readonly hint: string } {
  return { hint: `Give real inputs: \`${option}: FILE\`.` };
}
