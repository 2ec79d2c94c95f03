import { CompressError } from '../../errors.ts';
import { elementCount } from '../../ir/dtype.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { magnitudeKernelsFor } from '../../kernels/choose.ts';
import { belowThreshold, type Magnitudes, type Threshold } from '../../kernels/magnitude.ts';
import type { Numbers } from '../../kernels/sliceNorms.ts';
import { halves } from '../../kernels/views.ts';
import { countSpecial, type Measured, replaced, zeroing, zeroTest } from './measure.ts';
import type { Matched } from './named.ts';

/** Types of which float32 does not hold every number. */
const WIDE: readonly string[] = ['float64', 'int32', 'uint32', 'int64', 'uint64'];

/** How scores are compared: as float32 where that holds all of them, else as float64. Under one threshold all alike. */
export type ScoreWidth = 2 | 4;

/** The width for all of these scores. */
export function scoreWidth(scores: Iterable<Matched>): ScoreWidth {
  for (const one of scores) if (WIDE.includes(one.dtype)) return 4;
  return 2;
}

/**
 * Scores as numbers (64-bit integers rounded).
 * @throws CompressError `data` if one is NaN
 */
export async function loadScores(scores: Matched, width: ScoreWidth): Promise<Numbers> {
  const from = await scores.load();
  const data = width === 4 ? Float64Array.from(from) : from instanceof Float32Array ? from : Float32Array.from(from);
  const kernels = await magnitudeKernelsFor(width, data.length);
  if (kernels.countSpecial(wordsOf(data)).nans === 0) return data;
  throw new CompressError('data', scores.where, 'contains NaN, which cannot be ranked');
}

/**
 * A weight ordered by scores: `importance_scores` of torch, whose magnitudes stand for those of the weight.
 *
 * @param zerosFirst - weights that are zero come before all others, whatever their score
 * @param memory - whether what was read is kept until it is pruned
 * @throws CompressError `data` when it is first asked and a score is NaN
 */
export function measureScored(
  tensor: Tensor,
  scores: Matched,
  width: ScoreWidth,
  zerosFirst: boolean,
  memory: 'keep' | 'forget',
): Measured {
  let kept: Magnitudes | undefined;
  const keys = async (bytes?: Uint8Array): Promise<Magnitudes> => {
    const found = kept ?? (await keysOf(bytes ?? (await tensor.load()), tensor, scores, width, zerosFirst));
    if (memory === 'keep') kept = found;
    return found;
  };
  return {
    width,
    zerosFirst,
    async countSpecial() {
      const bytes = await tensor.load();
      await keys(bytes);
      return { zeros: (await countSpecial(bytes, tensor)).zeros, nans: 0 };
    },
    async addDigits(histogram, prefix) {
      (await magnitudeKernelsFor(width, elementCount(tensor.dims))).addDigits(histogram, await keys(), prefix);
    },
    async prune(threshold) {
      const mine = { ...threshold };
      const bytes = await tensor.load();
      const lost = countBelow(await keys(bytes), threshold, zeroTest(bytes, tensor));
      kept = undefined;
      return { lost, replacement: pruned(tensor, scores, width, zerosFirst, mine) };
    },
  };
}

/** Takes the ties off the threshold that this weight uses. */
function countBelow(keys: Magnitudes, threshold: Threshold, isZero: (index: number) => boolean): number {
  let lost = 0;
  belowThreshold(keys, threshold, (index) => {
    if (!isZero(index)) lost++;
  });
  return lost;
}

/** By itself, so that it keeps nothing that was read before. */
function pruned(tensor: Tensor, scores: Matched, width: ScoreWidth, zerosFirst: boolean, threshold: Threshold): Tensor {
  return replaced(tensor, async (own) => {
    const keys = await keysOf(own, tensor, scores, width, zerosFirst);
    belowThreshold(keys, { ...threshold }, zeroing(own, tensor));
  });
}

async function keysOf(
  bytes: Uint8Array,
  tensor: Tensor,
  scores: Matched,
  width: ScoreWidth,
  zerosFirst: boolean,
): Promise<Magnitudes> {
  const data = await loadScores(scores, width);
  const keys = wordsOf(zerosFirst ? data.slice() : data);
  if (zerosFirst) lift(keys, zeroTest(bytes, tensor));
  return keys;
}

function wordsOf(data: Numbers): Magnitudes {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { words: halves(bytes), width: data instanceof Float64Array ? 4 : 2 };
}

/**
 * Makes every key one larger, as the integer its bits are, and those of zeros 0: a score of 0 is then still above a
 * weight that is zero. The largest finite score and infinity stay in order.
 */
function lift({ words: keys, width }: Magnitudes, isZero: (index: number) => boolean): void {
  for (let at = 0, index = 0; at < keys.length; at += width, index++) {
    if (isZero(index)) {
      keys.fill(0, at, at + width);
      continue;
    }
    for (let digit = 0; digit < width; digit++) {
      const word = ((keys[at + digit] as number) + 1) & 0xffff;
      keys[at + digit] = word;
      if (word !== 0) break;
    }
  }
}
