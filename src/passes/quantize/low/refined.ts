import type { Activations, SumRequest, Sums } from '../../../activations/requests.ts';
import { passingResults, ResultLine } from '../../../activations/results.ts';
import type { Model } from '../../../ir/model.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { decibels } from '../../../kernels/decibels.ts';
import { refineBy, sweptCost } from '../../../kernels/lowbits/gptq.ts';
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
 * @param sources - `results`: those of an earlier run, and where codes wait until they are written; in memory without it
 */
export async function refinedCodes(
  model: Model,
  uses: readonly WeightUse[],
  choices: Choices,
  activations: Activations,
  { results = passingResults(), onLayer }: Pick<LowSources, 'results' | 'onLayer'>,
): Promise<Refined> {
  const { multiply } = activations;
  const total = usesByTensor(uses).size;
  const line = new ResultLine(results);
  let done = 0;
  const ahead = new Map<Tensor, () => Promise<MeasuredCodes>>();
  const changed = new Map<Tensor, Choice>();
  for await (const { group, sums } of measuredGroups(model, uses, activations, results.earlier)) {
    const { wanted, layers } = group;
    const hessian = once(async () => sums && hessianOf(sums, wanted, multiply));
    for (const { target } of layers) {
      const { tensor } = target.held;
      const choice = choices.get(tensor) as Choice;
      const result = await line.next(async () => {
        const shared = await hessian();
        return resultOf(choice, shared && (await better(tensor, choice, shared, multiply)));
      });
      const found = codesOfResult(result, choice, constantName(target.held));
      if (found !== undefined) ahead.set(tensor, found.load);
      if (found !== undefined && found.choice !== choice) changed.set(tensor, found.choice);
      onLayer?.(++done, total);
    }
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

/** Codes in the form that was chosen, or in the one instead of it where that keeps far more of the outputs. */
async function better(
  tensor: Tensor,
  choice: Choice,
  hessian: Hessian,
  multiply: Multiply | undefined,
): Promise<Found | undefined> {
  const own = await begun(tensor, choice, hessian);
  if (own === undefined) return undefined;
  const instead = choice.instead && (await begun(tensor, choice.instead, hessian, own));
  const costOf = async ({ matrix, start, choice: { factor } }: Begun): Promise<number> =>
    (await multiplyBy(sweptCost(matrix, start.codes, hessian), multiply)) / factor ** 2;
  const gains = instead !== undefined && decibels(await costOf(own), await costOf(instead)) >= WORTH;
  const { matrix, start, choice: made } = gains ? instead : own;
  const codes = await multiplyBy(refineBy(matrix, start.codes, hessian), multiply);
  return { choice: made, codes: measuredCodes(matrix, codes) };
}

/** A weight as a form sees it, and where the choice of its codes begins. */
interface Begun {
  readonly choice: Choice;
  readonly matrix: Float32Array;
  readonly start: MeasuredCodes;
}

async function begun(tensor: Tensor, choice: Choice, hessian: Hessian, other?: Begun): Promise<Begun | undefined> {
  const alike = other?.choice.outFirst === choice.outFirst && other.choice.factor === choice.factor;
  const matrix = alike ? other.matrix : await matrixOf({ tensor, ...choice });
  if (matrix === undefined) return undefined;
  const importance = choice.shape.bits > 2 ? diagonalOf(hessian) : undefined;
  const start = await searched(matrix, choice, choice.shape.bits > 2 ? 'mse' : 'rtn', importance);
  return { choice, matrix, start };
}

/** How strong each input is, `[inputs]`. */
function diagonalOf({ matrix, inputs }: Hessian): Float32Array {
  return Float32Array.from({ length: inputs }, (_, input) => matrix[input * (inputs + 1)] as number);
}
