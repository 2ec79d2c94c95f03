import type { Activations, SumRequest, Sums } from '../../../activations/requests.ts';
import type { Model } from '../../../ir/model.ts';
import type { Tensor } from '../../../ir/tensor.ts';
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
): Promise<Ahead> {
  const { multiply } = activations;
  const total = usesByTensor(uses).size;
  let done = 0;
  const found = new Map<Tensor, () => Promise<MeasuredCodes>>();
  for await (const { wanted, layers, sums } of measuredGroups(model, uses, activations)) {
    const hessian = await hessianOf(sums, wanted, multiply);
    if (hessian === undefined) continue;
    for (const { target } of layers) {
      const { tensor } = target.held;
      const codes = await refinedWeight(tensor, choices.get(tensor) as Choice, hessian, multiply);
      if (codes !== undefined) found.set(tensor, await shelved(codes, keep));
      onLayer?.(++done, total);
    }
  }
  // Not all weights are such that data says something of them.
  if (done < total) onLayer?.(total, total);
  return found;
}

/** Undefined where the data gives a layer nothing, or NaN or infinity. */
async function hessianOf(sums: Sums, wanted: SumRequest, multiply: Multiply | undefined): Promise<Hessian | undefined> {
  const gram = gramOf(sums, wanted);
  return gram && multiplyBy(prepareBy(gram, wanted.columns), multiply);
}

async function refinedWeight(
  tensor: Tensor,
  choice: Choice,
  hessian: Hessian,
  multiply: Multiply | undefined,
): Promise<MeasuredCodes | undefined> {
  const matrix = await matrixOf({ tensor, ...choice });
  if (matrix === undefined) return undefined;
  const importance = choice.shape.bits > 2 ? diagonalOf(hessian) : undefined;
  const start = await searched(matrix, choice, choice.shape.bits > 2 ? 'mse' : 'rtn', importance);
  return measuredCodes(matrix, await multiplyBy(refineBy(matrix, start.codes, hessian), multiply));
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
