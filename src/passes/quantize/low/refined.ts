import type { Activations, SumRequest, Sums } from '../../../activations/requests.ts';
import type { Model } from '../../../ir/model.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { decibels } from '../../../kernels/decibels.ts';
import { outputCost } from '../../../kernels/lowbits/awq.ts';
import type { Codes } from '../../../kernels/lowbits/codes.ts';
import { refineBy } from '../../../kernels/lowbits/gptq.ts';
import { type Hessian, prepareBy } from '../../../kernels/lowbits/hessian.ts';
import { type Multiply, multiplyBy } from '../../../kernels/products.ts';
import { usesByTensor, type WeightUse } from '../../../layers/select.ts';
import { type MeasuredCodes, matrixOf, measuredCodes } from '../../../schemes/codes.ts';
import type { Choice, Choices } from './choose.ts';
import { gramOf, measuredGroups } from './groups.ts';
import { searched } from './search.ts';
import type { Keep, LowSources } from './sources.ts';

/** Codes that were found ahead, by weight. */
export type Ahead = ReadonlyMap<Tensor, () => Promise<MeasuredCodes>>;

/** What data told. */
export interface Refined {
  readonly ahead: Ahead;
  /** Weights that keep far more in another form than was chosen for them. */
  readonly changed: Choices;
}

/** How much more of its outputs a layer has to keep in another form, in dB. */
export const WORTH = 3;
/** How much more the search without data has to keep for the other form to be tried. */
const PROMISE = 1;

/**
 * Finds the codes of weights whose activations can be seen, by GPTQ: on the model as it is, in as few runs of the data
 * as memory allows. Layers that read the same activations share their sums.
 * @param sources - `keep`: where codes wait until they are written; in memory without it
 */
export async function refinedCodes(
  model: Model,
  uses: readonly WeightUse[],
  choices: Choices,
  activations: Activations,
  { keep, onLayer }: Pick<LowSources, 'keep' | 'onLayer'>,
): Promise<Refined> {
  const { multiply } = activations;
  const total = usesByTensor(uses).size;
  let done = 0;
  const ahead = new Map<Tensor, () => Promise<MeasuredCodes>>();
  const changed = new Map<Tensor, Choice>();
  for await (const { wanted, layers, sums } of measuredGroups(model, uses, activations)) {
    const hessian = await hessianOf(sums, wanted, multiply);
    if (hessian === undefined) continue;
    for (const { target } of layers) {
      const { tensor } = target.held;
      const choice = choices.get(tensor) as Choice;
      const found = await better(tensor, choice, hessian, multiply);
      if (found !== undefined) ahead.set(tensor, await shelved(found.codes, keep));
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
  const instead = choice.instead && (await begun(tensor, choice.instead, hessian));
  const costOf = async ({ matrix, choice: { factor } }: Begun, { codes }: MeasuredCodes): Promise<number> =>
    (await multiplyBy(outputCost(matrix, codes, hessian.matrix), multiply)) / factor ** 2;
  const refined = async ({ matrix, start }: Begun): Promise<MeasuredCodes> =>
    measuredCodes(matrix, await multiplyBy(refineBy(matrix, start.codes, hessian), multiply));
  const codes = await refined(own);
  if (instead === undefined) return { choice, codes };
  const promised = decibels(await costOf(own, own.start), await costOf(instead, instead.start));
  if (promised < PROMISE) return { choice, codes };
  const others = await refined(instead);
  const gained = decibels(await costOf(own, codes), await costOf(instead, others));
  return gained < WORTH ? { choice, codes } : { choice: instead.choice, codes: others };
}

/** Codes in a form. */
interface Found {
  readonly choice: Choice;
  readonly codes: MeasuredCodes;
}

/** A weight as a form sees it, and where the choice of its codes begins. */
interface Begun {
  readonly choice: Choice;
  readonly matrix: Float32Array;
  readonly start: MeasuredCodes;
}

async function begun(tensor: Tensor, choice: Choice, hessian: Hessian): Promise<Begun | undefined> {
  const matrix = await matrixOf({ tensor, ...choice });
  if (matrix === undefined) return undefined;
  const importance = choice.shape.bits > 2 ? diagonalOf(hessian) : undefined;
  const start = await searched(matrix, choice, choice.shape.bits > 2 ? 'mse' : 'rtn', importance);
  return { choice, matrix, start };
}

/** How strong each input is, `[inputs]`. */
function diagonalOf({ matrix, inputs }: Hessian): Float32Array {
  return Float32Array.from({ length: inputs }, (_, input) => matrix[input * (inputs + 1)] as number);
}

/** Codes that wait where they take little memory. */
async function shelved(
  { codes, losses }: MeasuredCodes,
  keep: Keep | undefined,
): Promise<() => Promise<MeasuredCodes>> {
  if (keep === undefined) return async () => ({ codes, losses });
  const load = await keep(codes.codes);
  const { codes: _, ...rest } = codes;
  return async () => ({ codes: { ...rest, codes: await load() } satisfies Codes, losses });
}
