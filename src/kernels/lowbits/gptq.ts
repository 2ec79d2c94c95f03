import { multiplyHere, type Products } from '../products.ts';
import { blocksIn, type Codes, middleOf } from './codes.ts';
import { descend } from './descend.ts';
import type { Hessian } from './hessian.ts';
import { costs, ordered, type Part, residualOf, rowsTogether, takeCodes, unordered } from './part.ts';
import { refitScales } from './refit.ts';
import { sweep } from './sweep.ts';

export interface RefineOptions {
  /** Passes of coordinate descent, each time codes were chosen or scales fitted; 0 leaves it out. */
  readonly descend?: number;
  /** Whether the scales are fitted to the codes and codes chosen with them, twice, where it gains. */
  readonly refit?: boolean;
}

export const REFINE_DEFAULTS: Required<RefineOptions> = { descend: 2, refit: true };

/**
 * Chooses the codes of a matrix again so that a layer's outputs change as little as can be: `tr((W − Q) H (W − Q)ᵀ)` is
 * made small. GPTQ and coordinate descent choose codes; the scales are fitted to them by least squares; both choose
 * codes with these; the scales are fitted once more, and coordinate descent ends it.
 *
 * ```ts
 * const hessian = prepare(gram, inputs);             // once for all layers that read the same activations
 * const better = refine(matrix, searchCodes(matrix, shape, form, { method: 'mse' }), hessian);
 * ```
 *
 * Zero points stay, and with multipliers the factors too: only the steps are fitted. A weight that is exactly 0 has the
 * code of 0, so what was pruned stays so. Rows for which new scales cost more keep what they had.
 *
 * @param matrix - `[outputs, inputs]`, finite
 * @param start - scales and zero points, e.g. of a search without data; not changed
 */
export function refine(matrix: Float32Array, start: Codes, hessian: Hessian, options: RefineOptions = {}): Codes {
  return multiplyHere(refineBy(matrix, start, hessian, options));
}

/** The same for who multiplies elsewhere: `await multiplyBy(refineBy(…), multiply)`. */
export function* refineBy(
  matrix: Float32Array,
  start: Codes,
  hessian: Hessian,
  options: RefineOptions = {},
): Products<Codes> {
  const settings = { ...REFINE_DEFAULTS, ...options };
  const { outputs, inputs, bits, block, symmetric, half } = start;
  const blocks = blocksIn(start);
  const codes = start.codes.slice();
  const scales = start.scales.slice();
  const zeros = start.zeros ?? new Uint8Array(outputs * blocks).fill(middleOf(bits));
  const multipliers = start.multipliers && { ...start.multipliers, steps: start.multipliers.steps.slice() };
  const blockOf = Uint32Array.from({ length: inputs }, (_, input) => Math.floor(input / block));
  const together = rowsTogether(inputs);
  for (let first = 0; first < outputs; first += together) {
    const end = Math.min(first + together, outputs);
    const part: Part = {
      ...{ bits, block, symmetric, half, inputs, blocks, blockOf },
      rows: end - first,
      weight: matrix.subarray(first * inputs, end * inputs),
      codes: codes.subarray(first * inputs, end * inputs),
      scales: scales.subarray(first * blocks, end * blocks),
      zeros: zeros.subarray(first * blocks, end * blocks),
      multipliers: multipliers && {
        steps: multipliers.steps.subarray(first, end),
        factors: multipliers.factors.subarray(first * blocks, end * blocks),
      },
    };
    yield* refinePart(part, hessian, settings);
  }
  const made = { ...{ outputs, inputs, bits, block, symmetric, half }, codes, scales, zeros: start.zeros };
  return multipliers === undefined ? made : { ...made, multipliers };
}

function* refinePart(
  part: Part,
  hessian: Hessian,
  { descend: passes, refit }: Required<RefineOptions>,
): Products<void> {
  const { order, ordered: matrix } = hessian;
  const first = ordered(part, order);
  yield* sweep(first, hessian);
  takeCodes(part, order, first);
  if (passes === 0 && !refit) return;
  let residual = yield* residualOf(first, matrix);
  yield* descend(first, residual, hessian, passes);
  takeCodes(part, order, first);
  for (const anew of refit ? [true, false] : []) {
    const before = costs(residual, part.rows);
    const old = choiceOf(part);
    const was = residual;
    yield* refitScales(part, unordered(residual.pull, order), hessian);
    const own = ordered(part, order);
    if (anew) yield* sweep(own, hessian);
    residual = yield* residualOf(own, matrix);
    yield* descend(own, residual, hessian, passes);
    takeCodes(part, order, own);
    const after = costs(residual, part.rows);
    const worse = Array.from(after.keys()).filter((row) => !((after[row] as number) < (before[row] as number)));
    for (const row of worse) {
      restore(part, old, row);
      const [from, to] = [row * part.inputs, (row + 1) * part.inputs];
      residual.lost.set(was.lost.subarray(from, to), from);
      residual.pull.set(was.pull.subarray(from, to), from);
    }
  }
}

/** What was chosen for a part so far. */
type Choice = Pick<Part, 'codes' | 'scales' | 'multipliers'>;

function choiceOf({ codes, scales, multipliers }: Part): Choice {
  const steps = multipliers && { ...multipliers, steps: multipliers.steps.slice() };
  return { codes: codes.slice(), scales: scales.slice(), multipliers: steps };
}

function restore({ inputs, blocks, codes, scales, multipliers }: Part, old: Choice, row: number): void {
  codes.set(old.codes.subarray(row * inputs, (row + 1) * inputs), row * inputs);
  scales.set(old.scales.subarray(row * blocks, (row + 1) * blocks), row * blocks);
  if (old.multipliers !== undefined) multipliers?.steps.set(old.multipliers.steps.subarray(row, row + 1), row);
}
