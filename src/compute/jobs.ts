import type { Bracket, Within } from '../kernels/bracket.ts';
import { sampleSteps, withinSteps } from '../kernels/bracketSteps.ts';
import { type HalfJob, halfSteps, roundingSteps } from '../kernels/halfSteps.ts';
import type { Rounding } from '../kernels/halves.ts';
import type { LinearParams } from '../kernels/linear.ts';
import { type Floats, type MatrixBand, quantizeSteps, rangeSteps, transposeSteps } from '../kernels/linearSteps.ts';
import type { Loss } from '../kernels/loss.ts';
import type { Codes, PackedCodes } from '../kernels/lowbits/codes.ts';
import { type CodesMatrix, codesSteps } from '../kernels/lowbits/codesSteps.ts';
import type { SearchOptions } from '../kernels/lowbits/search.ts';
import {
  type Counts,
  copySteps,
  lowSteps,
  type Pruned,
  type TopDigits,
  topSteps,
  zeroSteps,
} from '../kernels/magnitudeSteps.ts';
import type { Range } from '../kernels/range.ts';
import { selectSteps, type ThresholdSelection, tieSteps } from '../kernels/selectSteps.ts';
import type { Arena } from '../kernels/simd/arena.ts';
import type { Span } from '../kernels/slices.ts';
import type { Steps } from '../kernels/steps.ts';

/** A computation on contiguous bytes, as plain data, so that it can be sent to another thread. */
export type Job =
  | { readonly kind: 'range'; readonly floats: Floats }
  | { readonly kind: 'quantize'; readonly floats: Floats; readonly params: LinearParams }
  | { readonly kind: 'transpose'; readonly matrix: MatrixBand; readonly params: LinearParams }
  | { readonly kind: 'top'; readonly elements: number }
  | { readonly kind: 'low'; readonly elements: number; readonly top: number }
  | { readonly kind: 'sample'; readonly elements: number; readonly starts: readonly number[] }
  | { readonly kind: 'within'; readonly elements: number; readonly bracket: Bracket }
  | { readonly kind: 'select'; readonly elements: number; readonly parts: readonly Span[]; readonly count: number }
  | { readonly kind: 'tie'; readonly elements: number; readonly bits: number; readonly nth: number }
  | { readonly kind: 'zero'; readonly elements: number; readonly threshold: number; readonly ties: number }
  | { readonly kind: 'copy'; readonly byteLength: number }
  | { readonly kind: 'halves'; readonly floats: HalfJob }
  | { readonly kind: 'rounding'; readonly floats: HalfJob }
  | {
      readonly kind: 'codes';
      readonly matrix: CodesMatrix;
      readonly how: SearchOptions;
      readonly into: Codes | PackedCodes;
    };

/** The result of each kind of job. */
export interface Results {
  readonly range: Range | undefined;
  readonly quantize: Loss;
  readonly transpose: Loss;
  readonly top: TopDigits;
  readonly low: Counts;
  readonly sample: Uint32Array;
  readonly within: Within;
  readonly select: ThresholdSelection;
  readonly tie: number;
  readonly zero: Pruned;
  readonly copy: undefined;
  readonly halves: undefined;
  readonly rounding: Rounding;
  readonly codes: Loss | undefined;
}

/** A job of one kind. */
export type JobOf<Kind extends Job['kind']> = Extract<Job, { readonly kind: Kind }>;

/**
 * The computation of a job, which returns the {@link Results} of its kind. The caller frees what it allocates in the
 * arena.
 */
export function stepsOf(job: Job, arena: Arena): Steps<unknown> {
  switch (job.kind) {
    case 'range':
      return rangeSteps(arena, job.floats);
    case 'quantize':
      return quantizeSteps(arena, job.floats, job.params);
    case 'transpose':
      return transposeSteps(arena, job.matrix, job.params);
    case 'top':
      return topSteps(arena, job.elements);
    case 'low':
      return lowSteps(arena, job.elements, job.top);
    case 'sample':
      return sampleSteps(arena, job.elements, job.starts);
    case 'within':
      return withinSteps(arena, job.elements, job.bracket);
    case 'select':
      return selectSteps(arena, job.elements, job.parts, job.count);
    case 'tie':
      return tieSteps(arena, job.elements, job.bits, job.nth);
    case 'zero':
      return zeroSteps(arena, job.elements, job.threshold, job.ties);
    case 'copy':
      return copySteps(arena, job.byteLength);
    case 'halves':
      return halfSteps(arena, job.floats);
    case 'rounding':
      return roundingSteps(arena, job.floats);
    case 'codes':
      return codesSteps(arena, job.matrix, job.how, job.into);
  }
}
