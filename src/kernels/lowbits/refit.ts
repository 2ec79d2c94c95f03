import { cholesky, solveCholesky } from '../cholesky.ts';
import { fromFloats, toFloats } from '../narrow.ts';
import { type Products, whole } from '../products.ts';
import type { Multipliers } from './codes.ts';
import type { Hessian } from './hessian.ts';
import { findPull, type Ordered, type Part, takeScales, unordered } from './part.ts';

/** A scale that is to become so much larger or smaller stays: its block has few codes other than zero. */
const FARTHEST = 3;
/** Of the mean of the diagonal: keeps blocks that depend on each other near the scales they had. */
const RIDGE = 1e-9;

/**
 * Gives a part the scales that cost least for its codes as they are, as far as its form can have them.
 * @param own - with its pull, which is then that of the new scales
 * @param wanted - with multipliers: the weight times the Hessian, `[rows, inputs]`
 */
export function* refitScales(
  part: Part,
  own: Ordered,
  hessian: Hessian,
  wanted: Float32Array | undefined,
): Products<void> {
  if (part.multipliers !== undefined && wanted !== undefined) {
    setSteps(part, part.multipliers, own, timesOfSteps(own, wanted), wanted);
    takeScales(own, part, hessian.order);
    return;
  }
  setScales(part, yield* changeOfScales(part, unordered(own.pull, hessian.order, own.spare), hessian));
  takeScales(own, part, hessian.order);
  yield* findPull(own, hessian.ordered);
}

/**
 * What the scales are to change by: with `C` the codes less their zero points, a column for each
 * block, `CᵀHC · change = CᵀH · lost` for each row.
 *
 * @returns `[rows, blocks]`
 */
function* changeOfScales(part: Part, pull: Float32Array, { matrix }: Hessian): Products<Float64Array> {
  const { rows, inputs, blocks } = part;
  const steps = stepsOf(part);
  const change = new Float64Array(rows * blocks);
  const together = Math.max(1, Math.floor(NORMALS / blocks ** 2));
  for (let first = 0; first < rows; first += together) {
    const [from, to] = [first * inputs, Math.min(first + together, rows) * inputs];
    const [own, asked] = [steps.subarray(from, to), pull.subarray(from, to)];
    change.set(yield* changeOfSome(part, own, asked, matrix), first * blocks);
  }
  return change;
}

/** Numbers of normal equations that are in memory at a time. */
const NORMALS: number = 2 ** 22;

function* changeOfSome(
  { inputs, blocks, block }: Part,
  steps: Float32Array,
  pull: Float32Array,
  matrix: Float32Array,
): Products<Float64Array> {
  const rows = steps.length / inputs;
  const normal = new Float64Array(rows * blocks * blocks);
  const product = new Float32Array(rows * inputs);
  for (let index = 0; index < blocks; index++) {
    const start = index * block;
    const columns = inputs - start;
    product.fill(0, 0, rows * columns);
    yield {
      into: whole(product, columns),
      left: { data: steps, at: start, stride: inputs },
      right: { data: matrix, at: start * inputs + start, stride: inputs },
      ...{ rows, depth: Math.min(block, columns), columns, sign: 1 },
    };
    for (let row = 0; row < rows; row++) {
      for (let other = index; other < blocks; other++) {
        const from = other * block;
        const count = Math.min(block, inputs - from);
        const sum = dot(product, row * columns + from - start, steps, row * inputs + from, count);
        // What `cholesky` reads: the lower triangle.
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
 * The same where the scales of a row keep what they are to each other: one step is fitted for each row.
 *
 * @returns what the scales of each row are to be multiplied by: `[rows]`
 */
function timesOfSteps({ rows, inputs, scales, zeros, codes, pull }: Ordered, wanted: Float32Array): Float64Array {
  const out = new Float64Array(rows);
  for (let row = 0, at = 0; row < rows; row++) {
    let [asked, square] = [0, 0];
    for (const end = at + inputs; at < end; at++) {
      const real = ((codes[at] as number) - (zeros[at] as number)) * (scales[at] as number);
      asked += real * (pull[at] as number);
      square += real * ((wanted[at] as number) - (pull[at] as number));
    }
    const times = 1 + asked / square;
    out[row] = times > 1 / FARTHEST && times < FARTHEST ? times : 1;
  }
  return out;
}

/** The codes less their zero points. */
function stepsOf({ rows, inputs, blocks, blockOf, codes, zeros }: Part): Float32Array {
  const out = new Float32Array(rows * inputs);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let input = 0; input < inputs; input++, at++) {
      out[at] = (codes[at] as number) - (zeros[row * blocks + (blockOf[input] as number)] as number);
    }
  }
  return out;
}

/** Solves in place; all zeros where there is no answer. */
function solve(normal: Float64Array, n: number, right: Float64Array): void {
  let trace = 0;
  for (let index = 0; index < n; index++) trace += normal[index * (n + 1)] as number;
  for (let index = 0; index < n; index++) {
    const at = index * (n + 1);
    // A block whose codes all stand for 0 has no say.
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

function setSteps(
  { scales, blocks }: Part,
  { steps, factors }: Multipliers,
  { rows, inputs, pull }: Ordered,
  times: Float64Array,
  wanted: Float32Array,
): void {
  for (let row = 0, at = 0; row < rows; row++) {
    const before = steps[row] as number;
    steps[row] = before * (times[row] as number);
    const changed = before === 0 ? 1 : (steps[row] as number) / before;
    // What the codes stand for becomes so many times as much, and so does that times the Hessian.
    for (const end = at + inputs; at < end; at++) {
      const all = wanted[at] as number;
      pull[at] = all - changed * (all - (pull[at] as number));
    }
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
