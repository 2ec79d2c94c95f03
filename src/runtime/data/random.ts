import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { CompressError } from '../../errors.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import type { DataSet, FeedTensor, Sample } from './types.ts';

/** How many rows, and from which seed. */
export interface RandomOptions {
  readonly seed: number;
  readonly batch?: number;
  readonly samples?: number;
}

/** Length of a dimension the model leaves open, other than the first. */
const OPEN_DIM = 32;
/** Runs where nothing else is said. */
const RUNS = 8;

/**
 * Seeded random inputs: floats uniform in [−1, 1), integers and booleans 0 or 1. The first dimension, where the model
 * leaves it open, is `batch` (1); other open ones are 32.
 * @throws CompressError `data` for an input whose type or rank the model does not state
 */
export function randomData(inputs: readonly ValueInfo[], options: RandomOptions): DataSet {
  const { seed, batch = 1, samples = RUNS * batch } = options;
  const runs = Math.max(1, Math.ceil(samples / batch));
  for (const input of inputs) if (input.dims === undefined) throw unknown(input, 'values without a rank');
  return {
    description: `random inputs, seed ${seed}`,
    async *samples(): AsyncGenerator<Sample> {
      const generator = xoroshiro128plus(seed);
      const bits = (): number => generator.next() >>> 0;
      for (let run = 0; run < runs; run++) {
        const feeds = inputs.map((input) => [input.name, fill(input, batch, bits)] as const);
        yield { label: `random inputs, run ${run}`, feeds: Object.fromEntries(feeds) };
      }
    },
  };
}

function fill(input: ValueInfo, batch: number, bits: () => number): FeedTensor {
  const dims = (input.dims ?? []).map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? batch : OPEN_DIM));
  const length = dims.reduce((product, dim) => product * dim, 1);
  const real = (): number => bits() / 2 ** 31 - 1;
  // The high bit: the lowest ones of this generator are its weakest.
  const bit = (): number => bits() >>> 31;
  switch (input.dtype) {
    case 'float32':
      return { dtype: 'float32', dims, data: Float32Array.from({ length }, real) };
    case 'float64':
      return { dtype: 'float64', dims, data: Float64Array.from({ length }, real) };
    case 'int64':
      return { dtype: 'int64', dims, data: BigInt64Array.from({ length }, () => BigInt(bit())) };
    case 'int32':
      return { dtype: 'int32', dims, data: Int32Array.from({ length }, bit) };
    case 'int8':
      return { dtype: 'int8', dims, data: Int8Array.from({ length }, bit) };
    case 'uint8':
    case 'bool':
      return { dtype: input.dtype, dims, data: Uint8Array.from({ length }, bit) };
    default:
      throw unknown(input, `values of type ${input.dtype ?? 'unknown'}`);
  }
}

function unknown(input: ValueInfo, what: string): CompressError {
  return new CompressError('data', `input '${input.name}'`, `no random ${what} can be made for it`, {
    hint: 'Give real inputs: --data FILE.',
  });
}
