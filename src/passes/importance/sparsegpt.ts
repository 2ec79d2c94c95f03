import type { Activations, SumRequest, Sums } from '../../activations/requests.ts';
import { passingResults } from '../../activations/results.ts';
import { isFloat } from '../../ir/dtype.ts';
import { derived } from '../../ir/tensor.ts';
import { inverseFactor } from '../../kernels/cholesky.ts';
import { pruneCompensated, type Rule } from '../../kernels/importance/obs.ts';
import { groupsOf } from '../../kernels/importance/pattern.ts';
import { transposeSquare } from '../../kernels/layout.ts';
import { roundHalfEven } from '../../kernels/linear.ts';
import { type Floats, fromFloats, narrowed, toFloats } from '../../kernels/narrow.ts';
import { type Multiply, multiplyBy } from '../../kernels/products.ts';
import { gatherColumns, isByColumns, scatterColumns } from '../../layers/matrix.ts';
import type { Pass } from '../pass.ts';
import type { Layer } from './layers.ts';
import { checkSparseGpt, SPARSEGPT_DEFAULTS, type SparseGptOptions } from './options.ts';
import { countZeros, type Method, type Prune, runMethod } from './run.ts';

type ResolvedOptions = SparseGptOptions & typeof SPARSEGPT_DEFAULTS;

/**
 * Prunes weights column by column and updates the remaining ones so that the layer's outputs on the data change as
 * little as possible: with `H = XXᵀ + damping · mean(diag) · I` and U the upper Cholesky factor of `H⁻¹`, the weights
 * of a block of columns with the smallest `w² / U[c][c]²` are removed, and `w[j] −= w[c] / U[c][c] · U[c][j]` for every
 * j > c.
 *
 * ```
 * before  W = [ 0.9 -0.1  0.4 -0.7 ]    y = W x, where the second and third input are mostly alike
 * after   W = [ 0.9  0.0  0.3  0.0 ]    0.3 replaces -0.1 and 0.4
 * ```
 *
 * Of the first c columns of a weight, c at the end of a block, exactly `round(amount · elements)` are zero. An input
 * that is zero in all of the data loses its weights, as in the authors' code; its diagonal is left out of the mean.
 * Weights that were zero stay zero, and pruning twice changes nothing.
 *
 * @param activations - activations of the model, on data like that of its use
 * @throws CompressError `options`
 * @example
 * const activations = openActivations(await openData('calib.npz', await modelInputs(model)));
 * await transform(model, sparsegpt({ amount: 0.5 }, activations));
 * await activations.close();
 * @see Frantar, Alistarh: SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot, arXiv 2301.00774
 */
export function sparsegpt(options: SparseGptOptions, activations: Activations): Pass {
  checkSparseGpt(options);
  const settled: ResolvedOptions = { ...SPARSEGPT_DEFAULTS, ...options };
  const { multiply } = activations;
  const prepare = async (moments: Sums, wanted: SumRequest): Promise<Prune | string> => {
    const dead = deadColumns(moments.sums, wanted);
    const reason = await factorize(moments.sums, wanted, settled.damping, multiply);
    if (reason !== undefined) return reason;
    const factors = narrowed(moments.sums);
    const { groups, columns } = wanted;
    for (let group = 0; group < groups; group++) {
      transposeSquare(factors.subarray(group * columns ** 2, (group + 1) * columns ** 2), columns);
    }
    return (layer, weight, zeros) => prune(layer, weight, zeros, factors, dead, settled, multiply);
  };
  const { scratch } = settled;
  const results = settled.results ?? passingResults(scratch && ((bytes) => scratch.keep(bytes)));
  const method: Method = {
    what: 'gram',
    prepare,
    replacement: ({ name, dtype, dims, extra }, kept) => derived(name, dtype, dims, kept, extra),
    keptBytes: ({ byteLength }) => byteLength,
  };
  return { name: 'prune', run: (model) => runMethod(model, activations, method, { ...settled, results }) };
}

/** Columns whose input is always zero, by group. */
function deadColumns(sums: Float64Array, { groups, columns }: SumRequest): Uint8Array {
  const dead = new Uint8Array(groups * columns);
  for (let index = 0; index < dead.length; index++) {
    const group = Math.floor(index / columns);
    const column = index % columns;
    dead[index] = sums[group * columns * columns + column * (columns + 1)] === 0 ? 1 : 0;
  }
  return dead;
}

/**
 * Turns the Gram matrix of each group into the factor of its damped inverse, in place; returns a sentence if there is
 * none.
 */
async function factorize(
  sums: Float64Array,
  { groups, columns }: SumRequest,
  damping: number,
  multiply: Multiply | undefined,
): Promise<string | undefined> {
  for (let group = 0; group < groups; group++) {
    const h = sums.subarray(group * columns ** 2, (group + 1) * columns ** 2);
    let trace = 0;
    let live = 0;
    for (let column = 0; column < columns; column++) {
      const value = h[column * (columns + 1)] as number;
      trace += value;
      if (value !== 0) live++;
    }
    const mean = live === 0 ? 1 : trace / live;
    for (let column = 0; column < columns; column++) {
      const at = column * (columns + 1);
      h[at] = ((h[at] as number) || mean) + damping * mean;
    }
    if (!(await multiplyBy(inverseFactor(h, columns), multiply))) {
      return `its activations are linearly dependent, and a damping of ${damping} gives no inverse; a larger one would`;
    }
  }
  return undefined;
}

async function prune(
  layer: Layer,
  weight: Floats,
  zeros: number,
  factors: Float32Array,
  dead: Uint8Array,
  { amount, pattern, blockSize }: ResolvedOptions,
  multiply: Multiply | undefined,
): ReturnType<Prune> {
  const { layout, target } = layer;
  const { groups, rows, columns, segment } = layout;
  const all = rows * columns;
  const out = weight.slice();
  const inPlace = out instanceof Float32Array && isByColumns(layout);
  for (let group = 0; group < groups; group++) {
    const data = inPlace ? (out as Float32Array) : gatherColumns(weight, layout, group, new Float32Array(all));
    for (let column = 0; column < columns; column++) {
      if (dead[group * columns + column] === 1) data.fill(0, column * rows, (column + 1) * rows);
    }
    const base = group * all;
    const rule: Rule =
      pattern === undefined
        ? { countTo: (to) => roundHalfEven(amount * (base + rows * to)) - roundHalfEven(amount * base) }
        : { keep: pattern.keep, groups: groupsOf(columns, segment, pattern.of) };
    const factor = factors.subarray(group * columns ** 2, (group + 1) * columns ** 2);
    await multiplyBy(pruneCompensated({ data, rows, columns }, factor, rule, blockSize), multiply);
    if (!inPlace) scatterColumns(data, layout, group, out);
  }
  const { name, dtype } = target.held.tensor;
  if (!isFloat(dtype)) throw new RangeError(`${name} is ${dtype}`);
  const kept = fromFloats(out, dtype);
  return { lost: countZeros(toFloats(kept, dtype)) - zeros, kept };
}
