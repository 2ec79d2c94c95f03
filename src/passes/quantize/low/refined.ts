import type { Activations, SumRequest, Sums } from '../../../activations/requests.ts';
import { passingResults, ResultLine } from '../../../activations/results.ts';
import type { Model } from '../../../ir/model.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { decibels } from '../../../kernels/decibels.ts';
import { letGo } from '../../../kernels/letGo.ts';
import { Room, refineBy, sweptCost } from '../../../kernels/lowbits/gptq.ts';
import { type Hessian, prepareBy } from '../../../kernels/lowbits/hessian.ts';
import { once } from '../../../kernels/once.ts';
import { type Multiply, multiplyBy } from '../../../kernels/products.ts';
import { constantName } from '../../../layers/constant.ts';
import { usesByTensor, type WeightUse } from '../../../layers/select.ts';
import { type MeasuredCodes, matrixOf, measuredCodes } from '../../../schemes/codes.ts';
import type { Choice, Choices } from './choose.ts';
import { gramOf, measuredGroups } from './groups.ts';
import { codesOfResult, type Found, resultOf } from './kept.ts';
import { searched } from './search.ts';
import type { LowSources } from './sources.ts';

/** Precomputed codes, by weight. */
export type Ahead = ReadonlyMap<Tensor, () => Promise<MeasuredCodes>>;

/** The results from data. */
export interface Refined {
  readonly ahead: Ahead;
  /** Weights for which another form than the chosen one is much better. */
  readonly changed: Choices;
}

/** The improvement in output SQNR, in dB with GPTQ codes, for which a layer gets another form. */
export const WORTH = 3;

/**
 * Finds the codes of weights whose activations can be observed, by GPTQ, on the unchanged model, in as few passes over
 * the data as memory allows. Layers that read the same activations share their sums.
 * @param sources - `results`: those of an earlier run, and where codes wait until they are written; in memory without
 *   it
 */
export async function refinedCodes(
  model: Model,
  uses: readonly WeightUse[],
  choices: Choices,
  activations: Activations,
  { results = passingResults(), onLayer }: Pick<LowSources, 'results' | 'onLayer'>,
): Promise<Refined> {
  const means = { multiply: activations.multiply, room: new Room() };
  const total = usesByTensor(uses).size;
  const line = new ResultLine(results);
  let done = 0;
  const ahead = new Map<Tensor, () => Promise<MeasuredCodes>>();
  const changed = new Map<Tensor, Choice>();
  for await (const { group, sums } of measuredGroups(model, uses, activations, results.earlier)) {
    const { wanted, layers } = group;
    const hessian = once(async () => sums && hessianOf(sums, wanted, means.multiply));
    for (const { target } of layers) {
      const { tensor } = target.held;
      const choice = choices.get(tensor) as Choice;
      const result = await line.next(async () => {
        const shared = await hessian();
        return resultOf(choice, shared && (await better(tensor, choice, shared, means)));
      });
      const found = codesOfResult(result, choice, constantName(target.held));
      if (found !== undefined) ahead.set(tensor, found.load);
      if (found !== undefined && found.choice !== choice) changed.set(tensor, found.choice);
      onLayer?.(++done, total);
    }
    const used = sums && (await hessian());
    for (const memory of used === undefined ? [] : [used.ordered, used.factor.data]) letGo(memory);
    if (sums !== undefined) activations.reuse?.(sums.sums);
  }
  // Not all weights have observable activations.
  if (done < total) onLayer?.(total, total);
  return { ahead, changed };
}

/** Undefined if a layer got no data, or NaN or infinity. */
async function hessianOf(sums: Sums, wanted: SumRequest, multiply: Multiply | undefined): Promise<Hessian | undefined> {
  const gram = gramOf(sums, wanted);
  return gram && multiplyBy(prepareBy(gram, wanted.columns), multiply);
}

/** The kernels and threads to use. */
interface Means {
  readonly multiply: Multiply | undefined;
  readonly room: Room;
}

/** Codes in the chosen form, or in its alternative if that preserves the outputs much better. */
async function better(tensor: Tensor, choice: Choice, hessian: Hessian, means: Means): Promise<Found | undefined> {
  const own = await matrixOf({ tensor, ...choice });
  if (own === undefined) return undefined;
  const { instead } = choice;
  const alike = instead?.factor === choice.factor;
  const other = instead && (alike ? own : await matrixOf({ tensor, ...instead }));
  const gains =
    instead !== undefined &&
    other !== undefined &&
    decibels(await sampleCost(own, choice, hessian, means), await sampleCost(other, instead, hessian, means)) >= WORTH;
  const [matrix, made] = gains ? [other, instead] : [own, choice];
  const { codes } = await begun(matrix, made, hessian);
  const { multiply, room } = means;
  return {
    choice: made,
    codes: measuredCodes(matrix, await multiplyBy(refineBy(matrix, codes, hessian, {}, room), multiply)),
  };
}

/** The initial codes. @param matrix - `[outputs, inputs]` */
async function begun(matrix: Float32Array, choice: Choice, hessian: Hessian): Promise<MeasuredCodes> {
  const importance = choice.shape.bits > 2 ? diagonalOf(hessian) : undefined;
  return searched(matrix, choice, choice.shape.bits > 2 ? 'mse' : 'rtn', importance);
}

/** Number of outputs, evenly spread, on which forms are compared. */
const SAMPLE = 512;

/** The loss of GPTQ codes in a form, on a sample of the outputs. */
async function sampleCost(
  matrix: Float32Array,
  choice: Choice,
  hessian: Hessian,
  { multiply, room }: Means,
): Promise<number> {
  const { outputs, inputs } = choice.shape;
  const count = Math.min(outputs, SAMPLE);
  const rows = count === outputs ? matrix : new Float32Array(count * inputs);
  for (let row = 0; row < count && rows !== matrix; row++) {
    const from = Math.floor((row * outputs) / count) * inputs;
    rows.set(matrix.subarray(from, from + inputs), row * inputs);
  }
  const start = await begun(rows, { ...choice, shape: { ...choice.shape, outputs: count } }, hessian);
  return (await multiplyBy(sweptCost(rows, start.codes, hessian, room), multiply)) / choice.factor ** 2;
}

/** The diagonal of the Hessian: the power of each input, `[inputs]`. */
function diagonalOf({ ordered, order, inputs }: Hessian): Float32Array {
  const diagonal = new Float32Array(inputs);
  order.forEach((input, place) => {
    diagonal[input] = ordered[place * (inputs + 1)] as number;
  });
  return diagonal;
}
