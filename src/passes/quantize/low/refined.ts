import type { Activations, SumRequest, Sums } from '../../../activations/requests.ts';
import { passingResults, ResultLine } from '../../../activations/results.ts';
import type { Model } from '../../../ir/model.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { decibels } from '../../../kernels/decibels.ts';
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

/** Codes that were found ahead, by weight. */
export type Ahead = ReadonlyMap<Tensor, () => Promise<MeasuredCodes>>;

/** What data told. */
export interface Refined {
  readonly ahead: Ahead;
  /** Weights that keep far more in another form than was chosen for them. */
  readonly changed: Choices;
}

/** How much more of its outputs a layer has to keep in another form, in dB, with the codes that GPTQ chooses. */
export const WORTH = 3;

/**
 * Finds the codes of weights whose activations can be seen, by GPTQ: on the model as it is, in as few runs of the data
 * as memory allows. Layers that read the same activations share their sums.
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
    if (sums !== undefined) activations.reuse?.(sums.sums);
  }
  // Not all weights are such that data says something of them.
  if (done < total) onLayer?.(total, total);
  return { ahead, changed };
}

/** Undefined where the data gives a layer nothing, or NaN or infinity. */
async function hessianOf(sums: Sums, wanted: SumRequest, multiply: Multiply | undefined): Promise<Hessian | undefined> {
  const gram = gramOf(sums, wanted);
  return gram && multiplyBy(prepareBy(gram, wanted.columns), multiply);
}

/** What computes, and where. */
interface Means {
  readonly multiply: Multiply | undefined;
  readonly room: Room;
}

/** Codes in the form that was chosen, or in the one instead of it where that keeps far more of the outputs. */
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

/** Where the choice of codes begins. @param matrix - `[outputs, inputs]` */
async function begun(matrix: Float32Array, choice: Choice, hessian: Hessian): Promise<MeasuredCodes> {
  const importance = choice.shape.bits > 2 ? diagonalOf(hessian) : undefined;
  return searched(matrix, choice, choice.shape.bits > 2 ? 'mse' : 'rtn', importance);
}

/** Outputs that tell which form is better, evenly spread over all of them. */
const SAMPLE = 512;

/** What the codes of GPTQ cost in a form, of some of the outputs. */
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

/** How strong each input is, `[inputs]`. */
function diagonalOf({ ordered, order, inputs }: Hessian): Float32Array {
  const diagonal = new Float32Array(inputs);
  order.forEach((input, place) => {
    diagonal[input] = ordered[place * (inputs + 1)] as number;
  });
  return diagonal;
}
