import { cholesky, solveCholesky } from '../cholesky.ts';
import { fromFloats, toFloats } from '../narrow.ts';
import { type Products, whole } from '../products.ts';
import type { Multipliers } from './codes.ts';
import type { Hessian } from './hessian.ts';
import { findPull, type Ordered, type Part, takeCodes, takeScales, unordered } from './part.ts';
import type { Swept } from './sweep.ts';

/** A scale that would change by more than this factor is kept: its block has few nonzero codes. */
const FARTHEST = 3;
/** Ridge, relative to the mean of the diagonal. It keeps the scales of dependent blocks near their old values. */
const RIDGE = 1e-9;

/** Sums over the errors of a sweep, by row, and over the errors if every code stands for 0. */
export interface StepSums extends Swept {
  /** Squares of the latter. */
  readonly squares: Float64Array;
}

/**
 * Gives a part the optimal scales for its codes, within its form.
 * @param sums - required with multipliers
 */
export function* refitScales(part: Part, own: Ordered, hessian: Hessian, sums: StepSums | undefined): Products<void> {
  if (part.multipliers !== undefined && sums !== undefined) {
    setSteps(part, part.multipliers, timesOfSteps(sums));
  } else {
    takeCodes(part, hessian.order, own);
    yield* findPull(own, hessian.ordered);
    const pull = unordered(own.pull, hessian.order, own.rows, own.spare);
    setScales(part, yield* changeOfScales(part, pull, hessian));
  }
  takeScales(own, part, hessian.order);
}

/**
 * The optimal change of the scales: with `C` the codes minus their zero points, one column per block, `CᵀHC · change =
 * CᵀH · lost` for each row.
 *
 * @returns `[rows, blocks]`
 */
function* changeOfScales(part: Part, pull: Float32Array, hessian: Hessian): Products<Float64Array> {
  const { rows, inputs, blocks } = part;
  const steps = stepsOf(part);
  const change = new Float64Array(rows * blocks);
  const together = Math.max(1, Math.floor(NORMALS / blocks ** 2));
  for (let first = 0; first < rows; first += together) {
    const [from, to] = [first * inputs, Math.min(first + together, rows) * inputs];
    const [own, asked] = [steps.subarray(from, to), pull.subarray(from, to)];
    change.set(yield* changeOfSome(part, own, asked, hessian), first * blocks);
  }
  return change;
}

/** Maximum numbers of normal equations in memory. */
const NORMALS: number = 2 ** 22;

function* changeOfSome(
  { inputs, blocks, block }: Part,
  steps: Float32Array,
  pull: Float32Array,
  hessian: Hessian,
): Products<Float64Array> {
  const rows = steps.length / inputs;
  const normal = new Float64Array(rows * blocks * blocks);
  const product = new Float32Array(rows * inputs);
  const near = new Float32Array(block * inputs);
  const placeOf = new Uint32Array(inputs);
  hessian.order.forEach((input, place) => {
    placeOf[input] = place;
  });
  for (let index = 0; index < blocks; index++) {
    const start = index * block;
    const columns = inputs - start;
    const depth = Math.min(block, columns);
    product.fill(0, 0, rows * columns);
    for (let at = 0, input = start; input < start + depth; input++) {
      const from = (placeOf[input] as number) * inputs;
      for (let other = start; other < inputs; other++, at++) {
        near[at] = hessian.ordered[from + (placeOf[other] as number)] as number;
      }
    }
    yield {
      into: whole(product, columns),
      left: { data: steps, at: start, stride: inputs },
      right: whole(near, columns),
      ...{ rows, depth, columns, sign: 1 },
    };
    for (let row = 0; row < rows; row++) {
      for (let other = index; other < blocks; other++) {
        const from = other * block;
        const count = Math.min(block, inputs - from);
        const sum = dot(product, row * columns + from - start, steps, row * inputs + from, count);
        // The lower triangle, which `cholesky` reads.
        normal[(row * blocks + other) * blocks + index] = sum;
      }
    }
  }
  const change = new Float64Array(rows * blocks);
  for (let row = 0; row < rows; row++) {
    const right = change.subarray(row * blocks, (row + 1) * blocks);
    for (let index = 0; index < blocks; index++) {
      const from = row * inputs + index * block;
      right[index] = dot(pull, from, steps, from, Math.min(block, inputs - index * block));
    }
    solve(normal.subarray(row * blocks * blocks, (row + 1) * blocks * blocks), blocks, right);
  }
  return change;
}

/**
 * The same if the scales of a row keep their ratios: one step is fitted for each row.
 *
 * With `H⁻¹ = LLᵀ`, the weight minus its codes is `ELᵀ`, where E are the errors of their sweep. The weight itself is
 * `VLᵀ`, where V are the errors if every code stands for 0. So the codes represent `(V − E)Lᵀ`, and products under H
 * are those of `V − E`: with `e` and `v` a row of each, `times = 1 + (v − e)·e / (v − e)·(v − e)`.
 *
 * @returns factors for the scales of each row: `[rows]`
 */
function timesOfSteps({ costs, products, squares }: StepSums): Float64Array {
  return costs.map((cost, row) => {
    const product = products[row] as number;
    const times = 1 + (product - cost) / ((squares[row] as number) - 2 * product + cost);
    return times > 1 / FARTHEST && times < FARTHEST ? times : 1;
  });
}

/** The codes minus their zero points. */
function stepsOf({ rows, inputs, blocks, blockOf, codes, zeros }: Part): Float32Array {
  const out = new Float32Array(rows * inputs);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let input = 0; input < inputs; input++, at++) {
      out[at] = (codes[at] as number) - (zeros[row * blocks + (blockOf[input] as number)] as number);
    }
  }
  return out;
}

/** Solves in place; all zeros if there is no solution. */
function solve(normal: Float64Array, n: number, right: Float64Array): void {
  let trace = 0;
  for (let index = 0; index < n; index++) trace += normal[index * (n + 1)] as number;
  for (let index = 0; index < n; index++) {
    const at = index * (n + 1);
    // A block whose codes all stand for 0 is left out.
    normal[at] = normal[at] === 0 ? 1 : (normal[at] as number) + (RIDGE * trace) / n;
  }
  if (cholesky(normal, n)) solveCholesky(normal, n, right);
  else right.fill(0);
}

function setScales({ scales, half }: Part, change: Float64Array): void {
  const wanted = scales.map((scale, index) => scale + (change[index] as number));
  const rounded = half ? toFloats(fromFloats(wanted, 'float16'), 'float16') : wanted;
  for (let index = 0; index < scales.length; index++) {
    const value = rounded[index] as number;
    const ratio = value / (scales[index] as number);
    if (ratio > 1 / FARTHEST && ratio < FARTHEST) scales[index] = value;
  }
}

function setSteps({ scales, blocks }: Part, { steps, factors }: Multipliers, times: Float64Array): void {
  for (let row = 0; row < times.length; row++) {
    steps[row] = (steps[row] as number) * (times[row] as number);
    for (let index = row * blocks; index < (row + 1) * blocks; index++) {
      scales[index] = (factors[index] as number) * (steps[row] as number);
    }
  }
}

function dot(a: Float32Array, at: number, b: Float32Array, other: number, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += (a[at + i] as number) * (b[other + i] as number);
  return sum;
}
