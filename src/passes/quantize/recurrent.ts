import { joinBytes } from '../../bytes/bytes.ts';
import { elementCount } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import type { Model } from '../../ir/model.ts';
import { createNode, intAttribute, isOp, type Node } from '../../ir/node.ts';
import { constant, derived, type Tensor } from '../../ir/tensor.ts';
import { constantName, dropUnused } from '../../layers/constant.ts';
import { RECURRENT_INPUTS, skipUse, type WeightUse } from '../../layers/select.ts';
import type { Skip } from '../../layers/skip.ts';
import { traceBack } from '../../layers/trace.ts';
import { encode, type Given, paramsOf } from '../../schemes/encode.ts';
import { namesFor } from '../../schemes/names.ts';
import { CONTRIB } from '../../schemes/nbits.ts';
import { type EncodedHalves, type EncodedIntegers, encodedBytes, integerScheme } from '../../schemes/scheme.ts';
import { addTensors, inputsOf, statedZeroPoint } from '../../schemes/write.ts';
import { dynamicLstm } from '../../targets/kernels.ts';
import type { Emitter } from './emit.ts';
import { storedName } from './forms.ts';
import type { IntegerWeights } from './integers.ts';
import type { Ledger } from './ledger.ts';
import type { ResolvedOptions } from './options.ts';
import type { StoredUse } from './storage.ts';

/** The weights of recurrent layers to quantize; the reasons for the others go to the ledger. */
export function recurrentWeights(
  model: Model,
  options: ResolvedOptions,
  refusal: (use: WeightUse) => Skip | undefined,
  ledger?: Ledger,
): WeightUse[] {
  const uses: WeightUse[] = [];
  for (const { graph, node } of model.nodes()) {
    const indices = isOp(node, node.opType) ? lookup(RECURRENT_INPUTS, node.opType) : undefined;
    if (options.only?.includes(node.opType) === false) continue;
    for (const index of indices ?? []) {
      const { held, ...path } = traceBack(graph, node.inputs[index] ?? '') ?? { held: undefined };
      if (held === undefined || held.tensor.dims.length !== 3) continue;
      const use = { ...(path as Omit<WeightUse, 'held'>), held, graph, node, index };
      const no = refusal(use) ?? form(use, options);
      if (no === undefined) uses.push(use);
      else ledger?.skip(held, no);
    }
  }
  return uses;
}

/** Whether a recurrent node becomes an operator of ONNX Runtime's own. */
function isContrib({ opType }: Node, { weightsOnly, allowContrib }: ResolvedOptions): boolean {
  return allowContrib && !weightsOnly && opType === 'LSTM';
}

/** Why the options have no form for a weight. */
function form(use: WeightUse, options: ResolvedOptions): Skip | undefined {
  const { node } = use;
  const other =
    intAttribute(node, 'layout', 0) !== dynamicLstm.value.layout ||
    use.dtype !== dynamicLstm.value.activations ||
    use.via.length > 0 ||
    options.dtype !== dynamicLstm.value.weights;
  if (!isContrib(node, options) || !other) return undefined;
  return skipUse(
    use,
    'unsupported_op',
    'DynamicQuantizeLSTM requires int8 weights, float32 activations and the sequence axis first',
  );
}

/** The uses whose weights are converted to float when the model is loaded. */
export function storedRecurrent(uses: readonly WeightUse[], options: ResolvedOptions): StoredUse[] {
  return uses.filter(({ node }) => !isContrib(node, options)).map((use) => ({ use, ...ROWS }));
}

/** Scales of a stored weight `[directions, gates · hidden, in]`: one for each row of each direction, or more. */
const ROWS: Parameters<IntegerWeights['stored']>[1] = { coarsest: { kind: 'channel', axis: 1, from: 0 }, rows: 2 };

/**
 * Stores the weights of LSTM, GRU and RNN as integers with a scale for each row or finer ones, converted to float when
 * the model is loaded; or, with `allowContrib`, turns LSTM into `com.microsoft.DynamicQuantizeLSTM`, which computes
 * with them.
 */
export async function quantizeRecurrent(
  model: Model,
  uses: readonly WeightUse[],
  options: ResolvedOptions,
  { emitter, weights }: { readonly emitter: Emitter; readonly weights: IntegerWeights },
  ledger: Ledger,
): Promise<void> {
  for (const node of new Set(uses.map((use) => use.node))) {
    const own = uses.filter((use) => use.node === node);
    const contrib = isContrib(node, options);
    if (contrib && own.length < 2) {
      for (const use of own)
        ledger.skip(use.held, skipUse(use, 'unsupported_op', 'DynamicQuantizeLSTM requires both weights'));
      continue;
    }
    const made: { use: WeightUse; weight: EncodedIntegers | EncodedHalves; added: number }[] = [];
    let next = node;
    for (const use of own) {
      const one = contrib ? await contribWeight(use, options) : await weights.stored(use, ROWS);
      if ('reason' in one) {
        ledger.skip(use.held, one);
        continue;
      }
      made.push({ use, ...one });
      if (!contrib) {
        const value = emitter.stored(...weights.placeOf(use, use.graph, node), one.weight, use.dtype);
        next = withInput(next, use.index, value);
      } else if (made.length === own.length) {
        for (const { use, weight } of made)
          next = withContribWeight(use.graph, next, use.index, weight as EncodedIntegers);
      }
    }
    if (made.length === 0 || (contrib && made.length < own.length)) continue;
    own[0]?.graph.replaceNode(node, next);
    if (contrib) model.addOpset(CONTRIB.domain, CONTRIB.version);
    for (const { use, weight, added } of made) {
      const how = contrib ? `${options.dtype} per channel, DynamicQuantizeLSTM` : storedName(weight);
      ledger.change(use.held, { node, added, form: how, losses: weight.losses });
      const input = use.held.graph.isInput(constantName(use.held));
      const dropped = dropUnused(use.held, model.trainingNames);
      ledger.settle(use.held, { bytes: dropped ? 0 : use.held.tensor.byteLength, input });
    }
  }
}

/** Each direction transposed, with scales [directions, rows] and zero points, as DynamicQuantizeLSTM requires. */
async function contribWeight(
  use: WeightUse,
  options: ResolvedOptions,
): Promise<{ weight: EncodedIntegers; added: number } | Skip> {
  const { tensor } = use.held;
  const [directions = 1, rows = 1, columns = 1] = tensor.dims;
  const { dtype, reduceRange, unread } = options;
  const scheme = integerScheme(dtype, { kind: 'channel', axis: 1 }, reduceRange);
  const names = namesFor(use.graph, constantName(use.held));
  const halves: EncodedIntegers[] = [];
  for (let direction = 0; direction < directions; direction++) {
    const part = sliceOf(tensor, direction, [rows, columns]);
    const given: Given = { tensor: part, transposed: true, factor: 1, unread };
    const params = await paramsOf(given, scheme);
    if (params === undefined) return skipUse(use, 'non_finite', 'it contains NaN or infinity');
    halves.push(await encode(given, scheme, params, names));
  }
  const joined = async (pick: (one: EncodedIntegers) => Tensor): Promise<Uint8Array> =>
    joinBytes(await Promise.all(halves.map((one) => pick(one).load())));
  const data = derived(names.data, dtype, [directions, columns, rows], () => joined((one) => one.data));
  const scale = constant(names.scale, 'float32', [directions, rows], await joined((one) => one.scale));
  const whole = {
    scheme: integerScheme(dtype, { kind: 'block', axis: 1, size: columns }, reduceRange),
    data: { ...data, from: { tensor, name: names.of } },
    scale,
  };
  const weight = { ...whole, zeroPoint: statedZeroPoint(whole, names.zeroPoint) };
  return { weight, added: encodedBytes(weight) };
}

/** One direction of a weight. */
function sliceOf(tensor: Tensor, direction: number, dims: readonly [number, number]): Tensor {
  const size = (elementCount(dims) * tensor.byteLength) / elementCount(tensor.dims);
  const load = async (): Promise<Uint8Array> =>
    (await tensor.load()).subarray(direction * size, (direction + 1) * size);
  return derived(tensor.name, tensor.dtype, dims, load);
}

function withInput(node: Node, index: number, value: string): Node {
  return { ...node, inputs: node.inputs.map((one, at) => (at === index ? value : one)) };
}

/** Where DynamicQuantizeLSTM has the scale of an input; its zero point follows. */
const SCALE_AT: Readonly<Record<number, number>> = { 1: 8, 2: 10 };

function withContribWeight(graph: Graph, node: Node, index: number, weight: EncodedIntegers): Node {
  addTensors(graph, weight);
  const inputs = Array.from({ length: 12 }, (_, at) => node.inputs[at] ?? '');
  const scaleAt = SCALE_AT[index] as number;
  const [data, ...steps] = inputsOf(weight) as [string, string, string];
  inputs[index] = data;
  inputs.splice(scaleAt, steps.length, ...steps);
  const attributes = node.attributes.filter((one) => one.name !== 'layout');
  return createNode({ ...node, opType: 'DynamicQuantizeLSTM', domain: CONTRIB.domain, inputs, attributes });
}
