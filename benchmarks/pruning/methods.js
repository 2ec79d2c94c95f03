// The methods of benchmarks/pruning.js.
import {
  openActivations,
  openData,
  prune,
  readModel,
  sparsegpt,
  transform,
  wanda,
  writeModel,
} from '../../dist/index.node.js';

export const METHODS = ['magnitude', 'Wanda', 'Wanda, parallel', 'SparseGPT', 'SparseGPT, parallel'];

/** Activations that are all one: what Wanda then weighs is the weight alone. */
const ONES = {
  measure: async (_, wanted) =>
    wanted.map(({ groups, columns }) => ({ sums: new Float64Array(groups * columns).fill(1), rows: 1 })),
};

/**
 * Prunes a model into a file.
 * @returns {Promise<number>} the share of zeros among the weights that were looked at
 */
export async function prunedBy(method, { path, calibration, exclude = [] }, { amount, pattern }, output) {
  const model = await readModel(path);
  const activations = openActivations(await openData(calibration, model.graph.inputs));
  const options = { amount, exclude, ...(pattern === undefined ? {} : { pattern }) };
  const [name, order] = method.split(', ');
  const data = { ...options, parallel: order === 'parallel' };
  const passes = {
    magnitude: () => (pattern === undefined ? prune({ method: 'l1', ...options }) : wanda(options, ONES)),
    Wanda: () => wanda(data, activations),
    SparseGPT: () => sparsegpt(data, activations),
  };
  const [report] = await transform(model, passes[name]());
  await writeModel(model, output, { overwrite: true });
  await activations.close();
  await model.close();
  const sum = (pick) => report.changes.reduce((total, one) => total + pick(one), 0);
  return sum((one) => one.zeros) / sum((one) => one.elements);
}
