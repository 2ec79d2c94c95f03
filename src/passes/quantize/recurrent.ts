import { joinBytes } from '../../bytes/bytes.ts';
import { elementCount } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import type { Model } from '../../ir/model.ts';
import { createNode, intAttribute, isOp, type Node } from '../../ir/node.ts';
import { constant, derived, type Tensor } from '../../ir/tensor.ts';
import { dropUnused, heldName } from '../../layers/held.ts';
import { RECURRENT_INPUTS, skipUse, type WeightUse } from '../../layers/select.ts';
import type { Skip } from '../../layers/skip.ts';
import { traceBack } from '../../layers/trace.ts';
import type { Emitter } from './emit.ts';
import type { Ledger } from './ledger.ts';
import type { Settled } from './options.ts';
import { paramsOf, type QuantizedWeight, quantizedBytes, quantizedWeight } from './weight.ts';

/** The weights of recurrent layers that are to be quantized; the ledger is told why not the others. */
export function recurrentWeights(
  model: Model,
  options: Settled,
  ledger: Ledger,
  refusal: (use: WeightUse) => Skip | undefined,
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
      else ledger.skip(held, no);
    }
  }
  return uses;
}

/** Why the options have no form for it. */
function form(use: WeightUse, { weightsOnly, allowContrib, dtype }: Settled): Skip | undefined {
  const { opType } = use.node;
  if (weightsOnly || (allowContrib && opType === 'LSTM')) {
    const { node } = use;
    const own = allowContrib && !weightsOnly;
    // Its zero points may not differ: with int8 all of them are 0.
    if (
      own &&
      (intAttribute(node, 'layout', 0) !== 0 || use.dtype !== 'float32' || use.via.length > 0 || dtype !== 'int8')
    ) {
      return skipUse(use, 'unsupported_op', 'DynamicQuantizeLSTM takes int8 for float32, with the sequence first');
    }
    return undefined;
  }
  const detail =
    opType === 'LSTM'
      ? 'LSTM has no 8-bit form in standard ONNX; --weights-only stores it, --allow-contrib uses ONNX Runtime’s own'
      : `${opType} has no 8-bit form that runs on integers; --weights-only stores it`;
  return skipUse(use, 'unsupported_op', detail);
}

/**
 * Stores the weights of LSTM, GRU and RNN as integers with a scale for each row, made real when the model is loaded; or,
 * with `allowContrib`, turns LSTM into `com.microsoft.DynamicQuantizeLSTM`, which computes with them.
 */
export async function quantizeRecurrent(
  model: Model,
  uses: readonly WeightUse[],
  options: Settled,
  emitter: Emitter,
  ledger: Ledger,
): Promise<void> {
  const contrib = !options.weightsOnly;
  const form = `${options.dtype} per channel, ${options.weightsOnly ? 'weights only' : 'DynamicQuantizeLSTM'}`;
  for (const node of new Set(uses.map((use) => use.node))) {
    const own = uses.filter((use) => use.node === node);
    if (contrib && own.length < 2) {
      for (const use of own)
        ledger.skip(use.held, skipUse(use, 'unsupported_op', 'DynamicQuantizeLSTM needs both weights'));
      continue;
    }
    const made = await Promise.all(
      own.map(async (use) => ({ use, weight: await (contrib ? contribWeight : storedWeight)(use, options) })),
    );
    const bad = made.filter(({ weight }) => weight === undefined);
    for (const { use } of bad) ledger.skip(use.held, skipUse(use, 'non_finite', 'it holds NaN or infinity'));
    if (bad.length > 0 && contrib) continue;
    let next = node;
    for (const { use, weight } of made) {
      if (weight === undefined) continue;
      next = contrib
        ? withContribWeight(use.graph, next, use.index, weight)
        : withInput(next, use.index, emitter.stored(use.graph, node, weight, use.held.tensor.dims, use.dtype));
    }
    own[0]?.graph.replaceNode(node, next);
    if (contrib) model.addOpset('com.microsoft', 1);
    for (const { use, weight } of made) {
      if (weight === undefined) continue;
      ledger.change(use.held, { node, added: quantizedBytes(weight), form });
      const input = use.held.graph.isInput(heldName(use.held));
      const dropped = dropUnused(use.held, model.trainingNames);
      ledger.settle(use.held, { bytes: dropped ? 0 : use.held.tensor.byteLength, input });
    }
  }
}

/** As a matrix of rows, a scale for each. */
async function storedWeight(use: WeightUse, options: Settled): Promise<QuantizedWeight | undefined> {
  const { tensor } = use.held;
  const [directions = 1, rows = 1, columns = 1] = tensor.dims;
  const matrix = { ...tensor, dims: [directions * rows, columns] };
  const shape = { transposed: false, axis: 0, factor: 1 };
  const params = await paramsOf(matrix, shape, options);
  if (params === undefined) return undefined;
  const made = await quantizedWeight(matrix, shape, options, params, namesOf(use));
  return { ...made, data: { ...made.data, dims: tensor.dims } };
}

/** Each direction transposed, with scales [directions, rows] and zero points, as DynamicQuantizeLSTM wants them. */
async function contribWeight(use: WeightUse, options: Settled): Promise<QuantizedWeight | undefined> {
  const { tensor } = use.held;
  const [directions = 1, rows = 1, columns = 1] = tensor.dims;
  const scheme = { ...options, perTensor: false };
  const shape = { transposed: true, axis: 1, factor: 1 };
  const names = namesOf(use);
  const halves: QuantizedWeight[] = [];
  for (let direction = 0; direction < directions; direction++) {
    const part = sliceOf(tensor, direction, [rows, columns]);
    const params = await paramsOf(part, shape, scheme);
    if (params === undefined) return undefined;
    halves.push(await quantizedWeight(part, shape, scheme, params, names));
  }
  const joined = async (pick: (one: QuantizedWeight) => Tensor): Promise<Uint8Array> =>
    joinBytes(await Promise.all(halves.map((one) => pick(one).load())));
  const scale = await joined((one) => one.scale);
  return {
    data: derived(names.data, scheme.dtype, [directions, columns, rows], () => joined((one) => one.data)),
    scale: constant(names.scale, 'float32', [directions, rows], scale),
    zeroPoint: constant(names.zeroPoint, scheme.dtype, [directions, rows], new Uint8Array(directions * rows)),
    axis: undefined,
  };
}

/** One direction of a weight. */
function sliceOf(tensor: Tensor, direction: number, dims: readonly [number, number]): Tensor {
  const size = (elementCount(dims) * tensor.byteLength) / elementCount(tensor.dims);
  const load = async (): Promise<Uint8Array> =>
    (await tensor.load()).subarray(direction * size, (direction + 1) * size);
  return derived(tensor.name, tensor.dtype, dims, load);
}

function namesOf({ graph, held }: WeightUse): { data: string; scale: string; zeroPoint: string } {
  const name = (part: string): string => graph.uniqueName(`${heldName(held)}_${part}`);
  return { data: name('quantized'), scale: name('scale'), zeroPoint: name('zero_point') };
}

function withInput(node: Node, index: number, value: string): Node {
  return { ...node, inputs: node.inputs.map((one, at) => (at === index ? value : one)) };
}

/** Where DynamicQuantizeLSTM has the scale of an input; its zero point follows. */
const SCALE_AT: Readonly<Record<number, number>> = { 1: 8, 2: 10 };

function withContribWeight(graph: Graph, node: Node, index: number, weight: QuantizedWeight): Node {
  for (const tensor of [weight.data, weight.scale, weight.zeroPoint as Tensor]) graph.setInitializer(tensor);
  const inputs = Array.from({ length: 12 }, (_, at) => node.inputs[at] ?? '');
  const scaleAt = SCALE_AT[index] as number;
  inputs[index] = weight.data.name;
  inputs[scaleAt] = weight.scale.name;
  inputs[scaleAt + 1] = (weight.zeroPoint as Tensor).name;
  const attributes = node.attributes.filter((one) => one.name !== 'layout');
  return createNode({ ...node, opType: 'DynamicQuantizeLSTM', domain: 'com.microsoft', inputs, attributes });
}
