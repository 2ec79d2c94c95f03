import {
  type Bracket,
  bracketOf,
  FEW_MAGNITUDES,
  joined,
  SAMPLE_PIECE,
  samplePieces,
  sampleStarts,
  type Within,
} from '../../kernels/bracket.ts';
import { overlapped } from '../overlapped.ts';
import type { Measured } from './measure.ts';

/** For what is few enough to be collected whole. */
const EVERYTHING: Bracket = { low: 1, high: 0x7f800000 };

/** Fewer magnitudes are sooner read once for each digit than sampled. */
const WORTH_SAMPLING: number = 4 << 20;

/** Magnitudes that are collected at most, 64 MiB; a model of 8 GiB has half of them. */
const MOST_COLLECTED: number = 16 << 20;

/** Weights that are looked at side by side. */
const AT_ONCE = 4;

/** A weight with the number of its elements. */
export interface Sampled {
  readonly measured: Measured;
  readonly elements: number;
}

/** What one look found of each weight, in their order; undefined if it would not be enough. */
export type Surveyed = readonly (readonly Within[])[] | undefined;

/**
 * Looks once at weights that are to be pruned under one threshold: a sample tells between which two magnitudes it
 * almost surely lies, then everything is read, what lies below is counted and what lies between is collected. For
 * `thresholdWithin`, which is exact or says that it cannot know.
 * @param share - of all elements, that will be below the threshold
 * @returns undefined if a radix selection is better: some weights of middle size, float64, scores
 */
export async function survey(weights: readonly Sampled[], share: number): Promise<Surveyed> {
  const able = weights.every(({ measured }) => measured.width === 2 && measured.surveying !== undefined);
  const total = weights.reduce((sum, one) => sum + one.elements, 0);
  const few = total <= FEW_MAGNITUDES;
  if (!able || !(few || total >= WORTH_SAMPLING)) return undefined;
  const bracket = few ? EVERYTHING : bracketOf(await sampleOf(weights), share);
  const found: (readonly Within[])[] = [];
  let collected = 0;
  const look = async ({ measured }: Sampled): Promise<readonly Within[]> => measured.surveying?.survey(bracket) ?? [];
  for await (const parts of overlapped(weights, atOnce, look)) {
    found.push(parts);
    collected += parts.reduce((sum, one) => sum + one.inside.length, 0);
    if (collected > MOST_COLLECTED) return undefined;
  }
  return found;
}

/** A sample of all weights together: each is in it as much as it has elements. */
async function sampleOf(weights: readonly Sampled[]): Promise<Uint32Array> {
  const total = weights.reduce((sum, one) => sum + one.elements, 0);
  const starts = sampleStarts(total, samplePieces(total));
  const samples: Uint32Array[] = [];
  let first = 0;
  let next = 0;
  const sample = async ({ measured, elements }: Sampled): Promise<Uint32Array | undefined> => {
    const own: number[] = [];
    for (; next < starts.length && (starts[next] as number) < first + elements; next++) {
      own.push(Math.max(0, Math.min((starts[next] as number) - first, elements - SAMPLE_PIECE)));
    }
    first += elements;
    return own.length > 0 ? measured.surveying?.sample(own) : undefined;
  };
  for await (const one of overlapped(weights, atOnce, sample)) if (one !== undefined) samples.push(one);
  return joined(samples);
}

/** Weights that are read in pieces, several at a time, so that no thread waits for this one; others are read whole. */
function atOnce({ measured }: Sampled): number {
  return measured.surveying?.inPieces === true ? AT_ONCE : 1;
}
