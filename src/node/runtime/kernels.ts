import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CompressError } from '../../errors.ts';
import type { DType } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { isOp, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { storedWeights } from '../../layers/stored.ts';
import { whyUnfused } from '../../targets/explain.ts';
import { temporaryFolder } from '../files/temporary.ts';
import { readModel } from '../model.ts';
import { installRuntime } from './install.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';

/** An operator of the optimized graph, and how often it occurs there. */
export interface Kernel {
  /** E.g. `QLinearConv`; with its domain if that is neither ONNX nor `com.microsoft`. */
  readonly op: string;
  readonly nodes: number;
}

/** An integer weight that no integer kernel reads: all of it is converted to float each time the model runs. */
export interface UnfusedWeight {
  readonly weight: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Name of the node that reads it, as in the file; its first output if it has no name. */
  readonly node: string;
  readonly opType: string;
  /** Why ONNX Runtime did not fuse the weight and its reader. */
  readonly why: string;
}

/** What ONNX Runtime made of a model. */
export interface Kernels {
  /** The most frequent first. */
  readonly kernels: readonly Kernel[];
  /** In the order of the optimized graph; empty if every integer weight is read by an integer kernel. */
  readonly unfused: readonly UnfusedWeight[];
  /**
   * Weights that are stored as integers and were converted to float when the model was loaded. They run like float
   * weights.
   */
  readonly madeFloat: readonly string[];
}

/** A session, and the graph it will run. */
export interface InspectedSession {
  readonly session: Session;
  readonly kernels: Kernels;
  /** Names of the initializers of the optimized main graph. */
  readonly initializers: ReadonlySet<string>;
}

/**
 * Loads a model and reads the graph that ONNX Runtime made of it, which ONNX Runtime writes to a temporary file.
 * @param path - the model's file; external data next to it is found
 * @throws CompressError `runtime` if ONNX Runtime is missing, refuses the model or writes no graph; `io`, `malformed`
 */
export async function openInspected(
  path: string,
  options: Omit<SessionOptions, 'optimizedModelPath'> = {},
): Promise<InspectedSession> {
  const original = await readModel(path);
  const folder = await temporaryFolder();
  let session: Session | undefined;
  try {
    const written = join(folder.path, 'optimized.onnx');
    session = await openSession(path, { ...options, optimizedModelPath: written });
    return { session, ...(await readKernels(written, path, original)) };
  } catch (cause) {
    await session?.release();
    throw cause;
  } finally {
    await folder.remove();
    await original.close();
  }
}

async function readKernels(
  path: string,
  madeFrom: string,
  original: Model,
): Promise<Omit<InspectedSession, 'session'>> {
  const there = await stat(path).catch(() => undefined);
  if (there === undefined) {
    throw new CompressError('runtime', 'onnxruntime-node', 'cannot save its optimized graph', {
      hint: `Versions from 1.21 can: ${installRuntime('@latest')}`,
    });
  }
  // Weights that ONNX Runtime did not change stay in the data files of the model.
  const optimized = await readModel(path, { dataBeside: madeFrom });
  try {
    const initializers = new Set(optimized.graph.initializers.keys());
    return { kernels: kernelsOf(optimized, original), initializers };
  } finally {
    await optimized.close();
  }
}

/**
 * Counts the operators of a graph that ONNX Runtime wrote, and finds each remaining DequantizeLinear of a weight.
 * @param optimized - the graph as it runs
 * @param original - the model it was made from, for the names of its nodes; weights keep theirs
 */
export function kernelsOf(optimized: Model, original: Model): Kernels {
  const counts = new Map<string, number>();
  const unfused: UnfusedWeight[] = [];
  const readers = readersOf(original);
  for (const { graph, node } of optimized.nodes()) {
    const op = opName(node);
    counts.set(op, (counts.get(op) ?? 0) + 1);
    const weight = isOp(node, 'DequantizeLinear') ? graph.constant(node.inputs[0] ?? '')?.tensor : undefined;
    if (weight === undefined) continue;
    const after = graph.uses(node.outputs[0] ?? '').map((use) => use.node);
    const found = readers.get(weight.name) ?? [];
    // The file's own nodes if the weight still has its name; otherwise the nodes of the optimized graph.
    const places = found.length > 0 ? found : after.map((one) => ({ graph, dequantize: node, node: one }));
    // ONNX Runtime may give each reader its own DequantizeLinear; report each weight once.
    if (unfused.some((one) => one.weight === weight.name)) continue;
    for (const place of places) unfused.push(unfusedOf(weight, place, after[0], places.length));
  }
  const stored = storedWeights(original);
  const still = storedWeights(optimized);
  for (const [name, { graph, node, tensor }] of still) {
    const reader = { weight: name, dtype: tensor.dtype, dims: tensor.dims, node: node.name || (node.outputs[0] ?? '') };
    const why = graph.parent === undefined ? 'ONNX Runtime did not fold it when it loaded the model' : IN_BODY;
    unfused.push({ ...reader, opType: node.opType, why });
  }
  const kernels = [...counts].map(([op, nodes]) => ({ op, nodes }));
  return {
    kernels: kernels.sort((a, b) => b.nodes - a.nodes || (a.op < b.op ? -1 : 1)),
    unfused,
    madeFloat: [...stored.keys()].filter((name) => !still.has(name)),
  };
}

const IN_BODY = 'a subgraph reads it, and ONNX Runtime does not fold constants there';

/** A node that reads a dequantized weight; without one, the weight is an output of the graph. */
interface DequantizeReader {
  readonly graph: Graph;
  readonly dequantize: Node;
  readonly node: Node | undefined;
}

/** The readers of each weight through a DequantizeLinear. */
function readersOf(model: Model): ReadonlyMap<string, readonly DequantizeReader[]> {
  const readers = new Map<string, DequantizeReader[]>();
  for (const { graph, node: dequantize } of model.nodes()) {
    if (!isOp(dequantize, 'DequantizeLinear')) continue;
    const weight = dequantize.inputs[0] ?? '';
    if (graph.constant(weight) === undefined) continue;
    const places = graph
      .uses(dequantize.outputs[0] ?? '')
      .map((use) => ({ graph: use.graph, dequantize, node: use.node }));
    readers.set(weight, [...(readers.get(weight) ?? []), ...places]);
  }
  return readers;
}

function unfusedOf(weight: Tensor, place: DequantizeReader, made: Node | undefined, sharers: number): UnfusedWeight {
  const { node } = place;
  return {
    weight: weight.name,
    dtype: weight.dtype,
    dims: weight.dims,
    node: node === undefined ? '' : node.name || (node.outputs[0] ?? ''),
    opType: node?.opType ?? '',
    why: node === undefined ? 'it is a model output' : whyUnfused({ weight, ...place, node, made, sharers }),
  };
}

function opName(node: Node): string {
  const plain = ['', 'ai.onnx', 'com.microsoft'].includes(node.domain);
  return plain ? node.opType : `${node.domain}.${node.opType}`;
}
