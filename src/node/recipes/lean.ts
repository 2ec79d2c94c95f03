import { byteLengthOf, elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import { piecewise, type Tensor } from '../../ir/tensor.ts';
import { dropUnread } from '../../passes/constants/region.ts';
import { computedAt } from '../../schemes/computed.ts';
import type { Computed } from '../../schemes/lines.ts';
import { isUnpacking } from '../../schemes/unpacking.ts';

/** Smaller weights are kept. */
const WORTH = 1 << 20;

/** A weight that nodes decode when the model is loaded. */
interface DecodedWeight {
  readonly node: Node;
  readonly value: string;
  readonly computed: Computed;
  /** The stored tensor: integers, codes, or 16-bit floats. */
  readonly stored: Tensor;
  /** The operators that decode and read it. ONNX Runtime treats weights with the same operators alike. */
  readonly kind: string;
}

/**
 * Replaces large weights that nodes of the main graph decode by tensors of the same type and shape. Among weights with
 * the same decoding and reading operators, the smallest is kept, so ONNX Runtime still shows what it makes of each
 * kind. It would compute every other one when it loads the model and keep it in memory, while floats in a data file are
 * mapped and never read.
 * @returns for each weight that is kept, the names of the replaced weights of its kind
 */
export async function replaceDecoded(model: Model): Promise<ReadonlyMap<string, readonly string[]>> {
  const kinds = new Map<string, DecodedWeight[]>();
  for (const one of await decodedWeights(model)) kinds.set(one.kind, [...(kinds.get(one.kind) ?? []), one]);
  const replaced = new Map<string, readonly string[]>();
  for (const alike of kinds.values()) {
    const [kept, ...others] = alike.sort((a, b) => sizeOf(a) - sizeOf(b));
    const large = others.filter((one) => sizeOf(one) >= WORTH);
    if (kept === undefined || large.length === 0) continue;
    for (const one of large) replace(model, one);
    replaced.set(
      kept.stored.name,
      large.map((one) => one.stored.name),
    );
  }
  if (replaced.size > 0) model.freeInitializers();
  return replaced;
}

async function decodedWeights({ graph }: Model): Promise<DecodedWeight[]> {
  const found: DecodedWeight[] = [];
  for (const node of graph.nodes) {
    const [value = ''] = node.outputs;
    const uses = graph.uses(value);
    const readers = uses.flatMap((use) => (use.node === undefined || use.graph !== graph ? [] : [use]));
    // Values that a body or a caller reads are different.
    if (!isUnpacking(node) || readers.length === 0 || readers.length < uses.length) continue;
    const computed = await computedAt(graph, value);
    const stored = computed?.source?.tensor ?? computed?.parts[0];
    if (computed === undefined || stored === undefined || !isWeight(computed)) continue;
    const further = await Promise.all(readers.map((use) => computedAt(graph, use.node?.outputs[0] ?? '')));
    if (further.some((one) => one !== undefined)) continue;
    const kind = [
      ...decodersOf(graph, value),
      ...[stored.dtype, computed.dtype, `of rank ${computed.dims.length}`],
      ...readers.map((use) => `${use.node?.domain} ${use.node?.opType} ${use.index}`).sort(),
    ].join();
    found.push({ node, value, computed, stored, kind });
  }
  return found;
}

/** The operators that compute a value from constants. */
function decodersOf(graph: Graph, value: string): string[] {
  const node = graph.producer(value);
  return node === undefined ? [] : [node.opType, ...node.inputs.flatMap((one) => decodersOf(graph, one))];
}

function replace(model: Model, { node, value, computed: { dtype, dims } }: DecodedWeight): void {
  const { graph } = model;
  graph.replaceNode(node);
  graph.setInitializer(zeros(value, dtype, dims));
  dropUnread(model, graph, node.inputs);
}

/**
 * A tensor of zeros that is never in memory whole. The choice of kernels does not depend on the values of large
 * weights.
 */
function zeros(name: string, dtype: Computed['dtype'], dims: readonly number[]): Tensor {
  const some = new Uint8Array(WORTH);
  const tensor: Tensor = piecewise(name, dtype, dims, async function* () {
    for (let left = tensor.byteLength; left > 0; left -= WORTH) yield some.subarray(0, Math.min(left, WORTH));
  });
  return tensor;
}

/** Floats, or the integers of an integer product. */
function isWeight({ dtype }: Computed): boolean {
  return isFloat(dtype) || dtype === 'int8' || dtype === 'uint8';
}

function sizeOf({ computed: { dtype, dims } }: DecodedWeight): number {
  return byteLengthOf(dtype, elementCount(dims));
}
