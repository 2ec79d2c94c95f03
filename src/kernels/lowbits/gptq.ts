import { multiplyHere, type Products } from '../products.ts';
import { blocksIn, type Codes, middleOf } from './codes.ts';
import { descend } from './descend.ts';
import type { Hessian } from './hessian.ts';
import { findPull, type Ordered, type Part, Room, rowCosts, rowsTogether, takeCodes, takeScales } from './part.ts';
import { refitScales } from './refit.ts';
import { type Swept, sweep } from './sweep.ts';

export { Room } from './part.ts';

export interface RefineOptions {
  /** Passes of coordinate descent at the end; 0 skips it. */
  readonly descend?: number;
  /** Whether scales are fitted to the codes, and codes chosen again with them. */
  readonly refit?: boolean;
}

export const REFINE_DEFAULTS: Required<RefineOptions> = { descend: 1, refit: true };

/** Number of GPTQ sweeps if scales are fitted; each uses better scales. */
const SWEEPS = 3;

/**
 * Chooses the codes of a matrix again so that a layer's outputs change as little as can be: `tr((W − Q) H (W − Q)ᵀ)` is
 * made small. GPTQ chooses codes three times, and after each the scales are fitted to them by least squares; coordinate
 * descent on the codes ends it.
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

/**
 * The same for callers that run matrix products elsewhere: `await multiplyBy(refineBy(…), multiply)`.
 * @param room - working memory, shared by many matrices
 */
export function* refineBy(
  matrix: Float32Array,
  start: Codes,
  hessian: Hessian,
  options: RefineOptions = {},
  room: Room = new Room(),
): Products<Codes> {
  const settings = { ...REFINE_DEFAULTS, ...options };
  const made = copyOf(start);
  for (const { part, own } of partsOf(matrix, made, hessian, room)) yield* refinePart(part, own, hessian, settings);
  return made;
}

/** The cost of codes from GPTQ alone, `tr((W − Q) H (W − Q)ᵀ)`: a fraction of the work of {@link refineBy}. */
export function* sweptCost(
  matrix: Float32Array,
  start: Codes,
  hessian: Hessian,
  room: Room = new Room(),
): Products<number> {
  let sum = 0;
  for (const { own } of partsOf(matrix, start, hessian, room)) {
    const { costs } = yield* sweep(own, hessian);
    sum = costs.reduce((all, cost) => all + cost, sum);
  }
  return sum;
}

function copyOf(start: Codes): Codes {
  const { codes, scales, multipliers } = start;
  const copy = { ...start, codes: codes.slice(), scales: scales.slice() };
  return multipliers === undefined
    ? copy
    : { ...copy, multipliers: { ...multipliers, steps: multipliers.steps.slice() } };
}

/** Groups of rows of a matrix and its codes. The reordered copies use the same memory for each group. */
function* partsOf(
  matrix: Float32Array,
  codes: Codes,
  hessian: Hessian,
  room: Room,
): Generator<{ readonly part: Part; readonly own: Ordered }> {
  const { outputs, inputs, bits, block, symmetric, half, multipliers } = codes;
  const blocks = blocksIn(codes);
  const zeros = codes.zeros ?? new Uint8Array(outputs * blocks).fill(middleOf(bits));
  const blockOf = Uint32Array.from({ length: inputs }, (_, input) => Math.floor(input / block));
  const together = Math.min(rowsTogether(inputs), outputs);
  for (let first = 0; first < outputs; first += together) {
    const end = Math.min(first + together, outputs);
    const part: Part = {
      ...{ bits, block, symmetric, half, inputs, blocks, blockOf },
      rows: end - first,
      weight: matrix.subarray(first * inputs, end * inputs),
      codes: codes.codes.subarray(first * inputs, end * inputs),
      scales: codes.scales.subarray(first * blocks, end * blocks),
      zeros: zeros.subarray(first * blocks, end * blocks),
      multipliers: multipliers && {
        steps: multipliers.steps.subarray(first, end),
        factors: multipliers.factors.subarray(first * blocks, end * blocks),
      },
    };
    yield { part, own: room.ordered(part, hessian.order) };
  }
}

function* refinePart(
  part: Part,
  own: Ordered,
  hessian: Hessian,
  { descend: passes, refit }: Required<RefineOptions>,
): Products<void> {
  const { order, ordered: matrix } = hessian;
  const whole = refit && part.multipliers !== undefined ? yield* wholeErrors(part, own, hessian) : undefined;
  let swept = yield* sweep(own, hessian, { beside: whole?.errors });
  for (let time = 1; refit && time < SWEEPS; time++) {
    yield* refitScales(part, own, hessian, whole && { ...swept, squares: whole.squares });
    swept = yield* sweep(own, hessian, { beside: whole?.errors });
  }
  takeCodes(part, order, own);
  const old = choiceOf(part);
  if (refit) yield* refitScales(part, own, hessian, whole && { ...swept, squares: whole.squares });
  if (refit || passes > 0) yield* findPull(own, matrix);
  yield* descend(own, hessian, passes);
  takeCodes(part, order, own);
  if (!refit) return;
  rowCosts(own).forEach((cost, row) => {
    if (!(cost < (swept.costs[row] as number))) restore(part, old, row);
  });
}

/** The errors if every code stands for 0, `[inputs, rows]`, and the sum of their squares for each row. */
function* wholeErrors(
  part: Part,
  own: Ordered,
  hessian: Hessian,
): Products<{ readonly errors: Float32Array; readonly squares: Swept['costs'] }> {
  own.scales.fill(0);
  const { costs } = yield* sweep(own, hessian, { keep: own.whole });
  takeScales(own, part, hessian.order);
  return { errors: own.whole, squares: costs };
}

/** The best choice for a part so far. */
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
