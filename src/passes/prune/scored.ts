import { CompressError } from '../../errors.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { addDigits, belowThreshold, isZero, type Magnitudes } from '../../kernels/magnitude.ts';
import { halves } from '../../kernels/views.ts';
import { countSpecial, type Measured, words, zeroChosen } from './measure.ts';
import type { Matched } from './named.ts';

/** Words of a float64: every number a file holds fits, and weights of any type are compared under one threshold. */
const WIDTH = 4;

/**
 * A weight ordered by scores: `importance_scores` of torch, whose magnitudes stand for those of the weight.
 *
 * @param zerosFirst - weights that are zero come before all others, whatever their score
 * @throws CompressError `data` when it is first asked and a score is NaN
 */
export function measureScored(tensor: Tensor, scores: Matched, zerosFirst: boolean): Measured {
  const keys = async (bytes: Uint8Array): Promise<Magnitudes> => {
    const held = scoreWords(await loadScores(scores));
    if (zerosFirst) lift(held, words(bytes, tensor));
    return held;
  };
  return {
    width: WIDTH,
    zerosFirst,
    async countSpecial() {
      const bytes = await tensor.load();
      await keys(bytes);
      return { zeros: (await countSpecial(bytes, tensor)).zeros, nans: 0 };
    },
    async addDigits(histogram, prefix) {
      addDigits(histogram, await keys(await tensor.load()), prefix);
    },
    async prune(threshold) {
      const mine = { ...threshold };
      const pruning = await zeroChosen(tensor, async (zero, bytes) => {
        belowThreshold(await keys(bytes), { ...mine }, zero);
      });
      // The ties it used are taken off what the next weight may use.
      belowThreshold(await keys(await tensor.load()), threshold, () => {});
      return pruning;
    },
  };
}

/**
 * Scores as float64, which holds exactly what a file has (64-bit integers excepted).
 * @throws CompressError `data` where one is NaN
 */
export async function loadScores(scores: Matched): Promise<Float64Array> {
  const data = Float64Array.from(await scores.load());
  if (data.some(Number.isNaN)) throw new CompressError('data', scores.where, 'holds NaN, which orders nothing');
  return data;
}

function scoreWords(scores: Float64Array): Magnitudes {
  return { words: halves(new Uint8Array(scores.buffer, scores.byteOffset, scores.byteLength)), width: WIDTH };
}

/**
 * Makes every key one larger, as the integer its bits are, and those of zeros 0: a score of 0 is then still above a
 * weight that is zero. The largest finite score and infinity stay in order.
 */
function lift({ words: keys, width }: Magnitudes, weight: Magnitudes): void {
  for (let at = 0, index = 0; at < keys.length; at += width, index++) {
    if (isZero(weight, index)) {
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
