import type { Activations, Source, SumRequest, Sums } from '../../../activations/requests.ts';
import { passingResults, ResultLine, type Results, strangeResult } from '../../../activations/results.ts';
import type { Model } from '../../../ir/model.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { awqBy } from '../../../kernels/lowbits/awq.ts';
import { searchMultipliers } from '../../../kernels/lowbits/multipliers.ts';
import { searchCodes } from '../../../kernels/lowbits/search.ts';
import { type Multiply, multiplyBy } from '../../../kernels/products.ts';
import { toFloat32 } from '../../../kernels/views.ts';
import { isVariable } from '../../../layers/constant.ts';
import { gemmParts } from '../../../layers/gemm.ts';
import type { WeightUse } from '../../../layers/select.ts';
import { matrixOf } from '../../../schemes/codes.ts';
import { isProduct } from '../pays.ts';
import type { Choice, Choices } from './choose.ts';
import { divideInput, multiplied } from './divide.ts';
import { gramOf, measuredGroups } from './groups.ts';

/** Weights that are multiplied by the same value, and the factors of their inputs. */
interface Scaling {
  readonly value: string;
  readonly uses: readonly WeightUse[];
  readonly factors: Float32Array;
}

/**
 * AWQ: scales up the columns of weights that meet large activations, so that rounding harms them less, and divides the
 * activations by the same factors. The result of the model does not change. Weights that read the same value share the
 * factors.
 * @see Lin et al.: AWQ, arXiv 2306.00978
 * @returns how many weights were scaled, and for how many values the division was folded into their producer
 */
export async function scaleInputs(
  model: Model,
  uses: readonly WeightUse[],
  choices: Choices,
  activations: Activations,
  results: Results = passingResults(),
): Promise<{ readonly weights: number; readonly values: number; readonly absorbed: number }> {
  const scalings: Scaling[] = [];
  const line = new ResultLine(results);
  for await (const { group, sums } of measuredGroups(model, uses, activations, results.earlier, () => 1)) {
    const [source] = group.wanted.sources as [Source, ...Source[]];
    const scaled = group.layers.flatMap(({ target }) => (isScalable(model, target.uses) ? target.uses : []));
    const { parts } = await line.next(async () => {
      const factors = sums && (await factorsOf(group.wanted, sums, scaled, choices, activations.multiply));
      return { facts: {}, parts: factors === undefined ? [] : [new Uint8Array(factors.buffer)] };
    });
    const [load] = parts;
    if (load === undefined) continue;
    const factors = toFloat32(await load(), 'float32');
    const fits = factors.length === group.wanted.columns && factors.every((one) => one > 0 && Number.isFinite(one));
    if (!fits) throw strangeResult(source.value);
    scalings.push({ value: source.value, uses: scaled, factors });
  }
  let absorbed = 0;
  for (const { value, uses: all, factors } of scalings) {
    for (const { held } of all) {
      const axis = (choices.get(held.tensor) as Choice).outFirst ? 1 : 0;
      // Its columns may already include the factors of the next layer.
      const tensor = model.graph.initializers.get(held.tensor.name) as Tensor;
      model.graph.setInitializer(multiplied(tensor, axis, factors));
    }
    if (divideInput(model, value, new Set(all.map((use) => use.node)), factors)) absorbed++;
  }
  const weights = scalings.reduce((sum, one) => sum + one.uses.length, 0);
  return { weights, values: scalings.length, absorbed };
}

/** The factors of the columns of weights; undefined if they do not change. */
async function factorsOf(
  wanted: SumRequest,
  sums: Sums,
  uses: readonly WeightUse[],
  choices: Choices,
  multiply: Multiply | undefined,
): Promise<Float32Array | undefined> {
  const [source] = wanted.sources;
  const [first] = uses;
  const gram = gramOf(sums, wanted);
  const alone = wanted.sources.length === 1 && source?.kind === 'matrix' && source.axis === -1;
  if (first === undefined || gram === undefined || !alone) return undefined;
  const choice = choices.get(first.held.tensor) as Choice;
  const alike = uses.map((use) => use.held.tensor).filter((tensor) => areAlike(choice, choices.get(tensor) as Choice));
  const matrix = await stacked(alike, choices);
  if (matrix === undefined) return undefined;
  const { columns: inputs } = wanted;
  const shape = { outputs: matrix.length / inputs, inputs };
  const search = choice.form === 'multipliers' ? searchMultipliers : searchCodes;
  const { factors, power } = await multiplyBy(
    awqBy(matrix, { strength: strengthOf(gram, inputs), gram }, (scaled) =>
      search(scaled, shape, choice.shape, { method: 'mse' }),
    ),
    multiply,
  );
  return power === 0 ? undefined : factors;
}

/** Whether the columns of a weight can be scaled, and the input of its only reader divided. */
function isScalable(model: Model, uses: readonly WeightUse[]): boolean {
  const [use, more] = uses;
  if (use === undefined || more !== undefined || use.graph !== model.graph || use.held.graph !== model.graph)
    return false;
  const { held, index, node, reshaped, dtype } = use;
  const { tensor } = held;
  const plain = isProduct(use) && index === 1 && !reshaped && tensor.dims.length === 2 && held.node === undefined;
  const transposed = node.opType === 'Gemm' && gemmParts(node).transA;
  return plain && !transposed && dtype === 'float32' && tensor.dtype === 'float32' && !isVariable(model, held);
}

function areAlike(one: Choice, other: Choice): boolean {
  const [a, b] = [one.shape, other.shape];
  return one.form === other.form && a.bits === b.bits && a.block === b.block && a.symmetric === b.symmetric;
}

/** The weights as one matrix; undefined if they hold NaN or infinity. */
async function stacked(tensors: readonly Tensor[], choices: Choices): Promise<Float32Array | undefined> {
  const parts: Float32Array[] = [];
  for (const tensor of tensors) {
    const part = await matrixOf({ tensor, ...(choices.get(tensor) as Choice) });
    if (part === undefined) return undefined;
    parts.push(part);
  }
  const all = new Float32Array(parts.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The root mean square of each input; inputs that are always 0 in the data get the overall value. */
function strengthOf(gram: Float64Array, inputs: number): Float64Array {
  const all = Float64Array.from({ length: inputs }, (_, input) => Math.sqrt(gram[input * (inputs + 1)] as number));
  const live = all.filter((one) => one > 0);
  const mean = live.reduce((sum, one) => sum + one, 0) / Math.max(1, live.length);
  return all.map((one) => (one > 0 ? one : mean));
}
