/** The reference for channel removal, computed without it: the old model with the readers' columns set to zero. */
import { Tensor } from 'onnxruntime-node';
import {
  bytesSink,
  type ChannelActivations,
  type ChannelMoments,
  type Model,
  type MomentsRequest,
  type NormsRequest,
  readModel,
  writeModel,
} from '../../src/index.node.ts';
import { constant } from '../../src/ir/tensor.ts';
import { constantName, replaceConstant } from '../../src/layers/constant.ts';
import { CHANNEL_DEFAULTS, type ChannelOptions, planRemoval, removeChannels } from '../../src/passes/channels/index.ts';
import { Remaining } from '../../src/passes/channels/rewrite.ts';
import type { AttributeSpec, NodeSpec } from './build.ts';
import { runModel } from './ort.ts';
import { sqnr } from './sqnr.ts';

/** A node with one output, whose name it shares. */
export const node = (
  op: string,
  inputs: readonly string[],
  out: string,
  attributes: Readonly<Record<string, AttributeSpec>> = {},
): NodeSpec => ({ op, in: inputs, out: [out], name: `${op} ${out}`, attributes });

/** Axis of the inputs in the weight of a node that sums over them. */
const INPUT_AXIS: Readonly<Record<string, number>> = {
  Conv: 1,
  ConvTranspose: 0,
  Gemm: 0,
  MatMul: -2,
  LSTM: 2,
  GRU: 2,
  RNN: 2,
};

/** The model with the columns of removed channels set to zero wherever a layer reads them. */
export async function masked(model: Model, options: ChannelOptions, tap?: string): Promise<Uint8Array> {
  const { analysis, removed } = await planRemoval(model, { ...CHANNEL_DEFAULTS, ...options });
  const left = new Remaining(analysis, removed);
  for (const node of model.graph.nodes) {
    const axis = INPUT_AXIS[node.opType];
    if (axis === undefined) continue;
    const group = node.attributes.find((one) => one.name === 'group');
    const grouped = group?.type === 'int' && group.value > 1n;
    if (grouped && node.opType === 'Conv') continue;
    const turned = (name: string): boolean =>
      node.attributes.some((one) => one.name === name && one.type === 'int' && one.value === 1n);
    for (const index of node.opType === 'MatMul' || node.opType === 'Gemm' ? [0, 1] : [1]) {
      const held = model.graph.constant(node.inputs[index] ?? '');
      if (held === undefined) continue;
      const { dims, name, dtype } = held.tensor;
      const own = index === 0 ? (turned('transA') ? 0 : -1) : turned('transB') ? 1 : axis;
      const at = own < 0 ? own + dims.length : own;
      const channels = analysis.weights.get(constantName(held))?.value.axes[at];
      if (channels === undefined || !left.changes(channels)) continue;
      const kept = new Set(left.kept(channels));
      const data = new Float32Array(Uint8Array.from(await held.tensor.load()).buffer);
      const inner = dims.slice(at + 1).reduce((all, one) => all * one, 1);
      data.forEach((_, place) => {
        if (!kept.has(Math.floor(place / inner) % (dims[at] as number))) data[place] = 0;
      });
      replaceConstant(held, constant(name, dtype, dims, data));
    }
  }
  return written(model, tap);
}

/** The bytes of the model, an inner value among its outputs. */
async function written(model: Model, tap: string | undefined): Promise<Uint8Array> {
  const sink = bytesSink();
  await writeModel(model, sink, tap === undefined ? {} : { adding: { outputs: [{ name: tap }] } });
  return sink.bytes();
}

/** The result of a removal, compared with {@link masked}. */
export interface Removal {
  readonly changes: number;
  readonly before: number;
  readonly after: number;
  /** In dB; infinite if nothing differs. */
  readonly sqnr: number;
  readonly bytes: Uint8Array;
}

/**
 * Removes channels and compares the result with the masked model; outputs with other shapes are an error.
 * @param tap - an inner value to compare instead of the outputs, e.g. before a Sigmoid that is always 0
 */
export async function removal(
  from: Uint8Array | string,
  options: ChannelOptions,
  feeds: Readonly<Record<string, Tensor>>,
  tap?: string,
): Promise<Removal> {
  const [model, old] = [await readModel(from as string), await readModel(from as string)];
  const expected = await runModel(await masked(old, options, tap), feeds);
  await old.close();
  const report = await removeChannels(options).run(model);
  const bytes = await written(model, tap);
  await model.close();
  const found = await runModel(bytes, feeds);
  for (const [name, { dims }] of Object.entries(expected)) {
    if (found[name]?.dims.join() !== dims.join()) throw new Error(`${name}: [${found[name]?.dims}], not [${dims}]`);
  }
  const only = <T>(all: Record<string, T>): Record<string, T> => (tap === undefined ? all : { [tap]: all[tap] as T });
  const quality = sqnr(only(expected), only(found));
  const sum = (of: (one: { before: number; after: number }) => number): number =>
    report.changes.reduce((total, one) => total + of(one), 0);
  return {
    changes: report.changes.length,
    before: sum((one) => one.before),
    after: sum((one) => one.after),
    sqnr: quality,
    bytes,
  };
}

/** Seeded inputs in [−1, 1). */
export function inputOf(dims: readonly number[], next: () => number): Tensor {
  const length = dims.reduce((all, one) => all * one, 1);
  return new Tensor(
    'float32',
    Float32Array.from({ length }, () => next() * 2 - 1),
    dims,
  );
}

/** Activations without norms, and with these moments for vectors of a length. */
export function answering(moments: (columns: number) => ChannelMoments | undefined): ChannelActivations {
  const measure = async (_: Model, requests: readonly (NormsRequest | MomentsRequest)[]) =>
    requests.map((one) => ('columns' in one ? moments(one.columns) : undefined));
  return { measure } as ChannelActivations;
}
