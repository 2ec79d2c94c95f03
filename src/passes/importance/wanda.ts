import type { Activations } from '../../activations/requests.ts';
import { passingResults } from '../../activations/results.ts';
import { elementCount } from '../../ir/dtype.ts';
import { derived, type Tensor } from '../../ir/tensor.ts';
import { groupsOf } from '../../kernels/importance/pattern.ts';
import { wandaRow } from '../../kernels/importance/wanda.ts';
import { roundHalfEven } from '../../kernels/linear.ts';
import type { Floats } from '../../kernels/narrow.ts';
import { gather } from '../../layers/matrix.ts';
import type { Pass } from '../pass.ts';
import type { Layer } from './layers.ts';
import { checkWanda, type Pattern, WANDA_DEFAULTS, type WandaOptions } from './options.ts';
import { type Method, type Prune, runMethod } from './run.ts';

/**
 * Prunes weights by their magnitude and that of the activations they are multiplied with: in each output row exactly
 * `round(amount · K)` of the K weights with the smallest `|w| · ‖x‖₂`, or all but `keep` of every `of`. The others do
 * not change.
 *
 * ```
 * before  W = [ 0.9 -0.1  0.4 -0.7 ]    y = W x,  ‖x‖ = [ 0.1  5  2  1 ]
 * after   W = [ 0.0  0.0  0.4 -0.7 ]    |w|·‖x‖ = [ 0.09  0.5  0.8  0.7 ], amount 0.5
 * ```
 *
 * Weights of MatMul and Gemm on either side and of Conv, whose rows are filters. For a weight that several nodes use,
 * the norms are summed over all of them. Pruning twice changes nothing.
 *
 * @param activations - activations of the model, on data like that of its use
 * @throws CompressError `options`
 * @example
 * const activations = openActivations(await openData('calib.npz', await modelInputs(model)));
 * await transform(model, wanda({ amount: 0.5 }, activations));
 * await activations.close();
 * @see Sun, Liu, Bair, Kolter: A Simple and Effective Pruning Approach for Large Language Models, arXiv 2306.11695
 */
export function wanda(options: WandaOptions, activations: Activations): Pass {
  checkWanda(options);
  const settled = { results: passingResults(), ...WANDA_DEFAULTS, ...options };
  const prepare = ({ sums }: { readonly sums: Float64Array }): Prune => {
    return (layer, weight) => prune(layer, weight, sums, settled.amount, settled.pattern);
  };
  const method: Method = { what: 'squares', prepare, replacement: masked, keptBytes: maskBytes };
  return {
    name: 'prune',
    async run(model) {
      const report = await runMethod(model, activations, method, settled);
      const worse = !settled.parallel && settled.amount >= AMOUNT_IN_PARALLEL && report.changes.length > 1;
      return worse ? { ...report, notes: [...report.notes, IN_PARALLEL] } : report;
    },
  };
}

/**
 * From this amount on, small models are clearly better if all layers are measured on the unpruned model: Wanda cannot
 * compensate in the next layer for what it removed, and would measure distorted activations. See the table in
 * docs/passes/wanda-sparsegpt.md.
 */
const AMOUNT_IN_PARALLEL = 0.5;
const IN_PARALLEL = 'at this amount, small models are often more accurate with `parallel`';

async function prune(
  layer: Layer,
  weight: Floats,
  sums: Float64Array,
  amount: number,
  pattern: Pattern | undefined,
): ReturnType<Prune> {
  const { layout } = layer;
  const { rows, columns, rowStep, offsets } = layout;
  const rule =
    pattern === undefined
      ? { count: roundHalfEven(amount * columns) }
      : { keep: pattern.keep, groups: groupsOf(columns, layout.segment, pattern.of) };
  // One bit per element: the weight itself is read again when it is written.
  const mask = new Uint8Array(Math.ceil(weight.length / 8));
  let lost = 0;
  for (let group = 0; group < layout.groups; group++) {
    const matrix = gather(weight, layout, group, new Float64Array(layout.rows * layout.columns));
    const squares = sums.subarray(group * columns, (group + 1) * columns);
    for (let row = 0; row < rows; row++) {
      const base = (group * rows + row) * rowStep;
      wandaRow(matrix.subarray(row * columns, (row + 1) * columns), squares, rule, (column) => {
        const index = base + (offsets[column] as number);
        if (weight[index] !== 0) lost++;
        mask[index >> 3] = (mask[index >> 3] as number) | (1 << (index & 7));
      });
    }
  }
  return { lost, kept: mask };
}

/** The weight without the elements whose bit is set. */
function masked(tensor: Tensor, kept: () => Promise<Uint8Array>): Tensor {
  const { name, dtype, dims, extra } = tensor;
  const size = tensor.byteLength / elementCount(dims);
  const compute = async (): Promise<Uint8Array> => {
    const [mask, loaded] = [await kept(), await tensor.load()];
    const bytes = new Uint8Array(loaded);
    for (let index = 0; index * size < bytes.length; index++) {
      if (((mask[index >> 3] as number) >> (index & 7)) & 1) bytes.fill(0, index * size, (index + 1) * size);
    }
    return bytes;
  };
  return derived(name, dtype, dims, compute, extra);
}

function maskBytes({ dims }: Tensor): number {
  return Math.ceil(elementCount(dims) / 8);
}
