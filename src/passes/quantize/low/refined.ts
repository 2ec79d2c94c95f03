import { batches, sumBytes } from '../../../activations/batches.ts';
import type { Activations, SumRequest, Sums } from '../../../activations/requests.ts';
import { elementCount } from '../../../ir/dtype.ts';
import type { Model } from '../../../ir/model.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import type { Codes } from '../../../kernels/lowbits/codes.ts';
import { refineBy } from '../../../kernels/lowbits/gptq.ts';
import { type Hessian, prepareBy } from '../../../kernels/lowbits/hessian.ts';
import { type Multiply, multiplyBy } from '../../../kernels/products.ts';
import { usesByTensor, type WeightUse } from '../../../layers/select.ts';
import { type MeasuredCodes, matrixOf, measuredCodes } from '../../../schemes/codes.ts';
import { type Layer, observedLayers } from '../../importance/layers.ts';
import type { Choice, Choices } from './choose.ts';
import { searched } from './search.ts';

/** Puts bytes aside, and reads them again. */
export type Keep = (bytes: Uint8Array) => Promise<() => Promise<Uint8Array>>;

/** Codes that were found ahead, by weight. */
export type Ahead = ReadonlyMap<Tensor, () => Promise<MeasuredCodes>>;

/** Bytes of sums that are in memory at a time, where one layer does not need more. */
const GRAM_BYTES: number = 2 ** 28;

/**
 * Finds the codes of weights whose activations can be seen, by GPTQ: on the model as it is, in as few runs of the data
 * as memory allows. Layers that read the same activations share their sums.
 * @param keep - where codes wait until they are written; in memory without it
 */
export async function refinedCodes(
  model: Model,
  uses: readonly WeightUse[],
  choices: Choices,
  activations: Activations,
  keep: Keep | undefined,
): Promise<Ahead> {
  const byTensor = usesByTensor(uses);
  const targets = [...byTensor.values()].map((all) => {
    const [{ held }] = all as [WeightUse];
    return { held, uses: all, elements: elementCount(held.tensor.dims) };
  });
  const { multiply } = activations;
  const groups = groupsOf(observedLayers(model, targets, undefined).layers);
  const found = new Map<Tensor, () => Promise<MeasuredCodes>>();
  const parts = batches(groups, ({ wanted }) => sumBytes(wanted), GRAM_BYTES);
  for (const [index, part] of parts.entries()) {
    const all = await activations.measure(
      model,
      part.map((one) => one.wanted),
      { index, count: parts.length },
    );
    for (const [at, { wanted, layers }] of part.entries()) {
      const hessian = await hessianOf(all[at] as Sums, wanted, multiply);
      if (hessian === undefined) continue;
      for (const { target } of layers) {
        const { tensor } = target.held;
        const codes = await refinedWeight(tensor, choices.get(tensor) as Choice, hessian, multiply);
        if (codes !== undefined) found.set(tensor, await shelved(codes, keep));
      }
    }
  }
  return found;
}

/** Layers that read the same activations. */
interface Group {
  readonly wanted: SumRequest;
  readonly layers: Layer[];
}

function groupsOf(layers: readonly Layer[]): Group[] {
  const groups = new Map<string, Group>();
  for (const layer of layers) {
    const { sources, layout } = layer;
    // What all vectors are multiplied by changes no code.
    const plain = sources.length === 1 ? sources.map((one) => ({ ...one, factor: 1 })) : sources;
    const key = JSON.stringify([plain, layout.columns]);
    const wanted: SumRequest = { what: 'gram', sources: plain, groups: layout.groups, columns: layout.columns };
    const group = groups.get(key) ?? { wanted, layers: [] };
    group.layers.push(layer);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** Undefined where the data gives a layer nothing, or NaN or infinity. */
async function hessianOf(
  { sums, rows }: Sums,
  { groups, columns }: SumRequest,
  multiply: Multiply | undefined,
): Promise<Hessian | undefined> {
  if (rows === 0 || groups !== 1 || !sums.every(Number.isFinite)) return undefined;
  for (let at = 0; at < sums.length; at++) sums[at] = (sums[at] as number) / rows;
  return multiplyBy(prepareBy(sums, columns), multiply);
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
