import type { Constant, Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { attribute } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { constantName, dropUnused } from '../../layers/constant.ts';
import type { Change } from '../../layers/skip.ts';
import type { Pass, PassReport } from '../pass.ts';
import { denseOf } from './elements.ts';
import { type PackedWeight, recognize, unpackFunctions } from './recognize.ts';
import { expandSparse } from './sparse.ts';
import { namesOf, operatorsOf } from './weights.ts';

/** How a weight lay in the file. */
export interface PackedForm {
  readonly form: 'bitmask' | 'sparse';
  /** Bytes of its mask, or its positions, and of the elements that are kept. */
  readonly byteLength: number;
}

/** What unpacking did. */
export interface Unpacked {
  readonly changes: readonly Change[];
  /** The unpacked tensors, and their packed form in the file. */
  readonly packed: ReadonlyMap<Tensor, PackedForm>;
  /** Weights that could not be unpacked, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Converts weights that {@link pack} stored back to ordinary tensors, bit for bit; sparse initializers too, whoever
 * wrote them. Nothing is computed before it is written.
 * ```
 * before  w = compress.Unpack(mask, kept, dims)
 * after   w
 * ```
 * A packed weight whose parts do not fit together does not change, and a note says so.
 * @example
 * await transform(model, unpack());
 */
export function unpack(): Pass {
  return {
    name: 'unpack',
    async run(model) {
      const { changes, notes } = await unpackWeights(model);
      return { pass: 'unpack', changes, skips: [], notes };
    },
  };
}

/** {@link unpackWeights} as the first step of another pass, with the entries for its report. */
export async function unpackFirst(model: Model): Promise<Pick<PassReport, 'unpacked'> & { notes: string[] }> {
  const { changes, notes } = await unpackWeights(model);
  return { notes: [...notes], ...(changes.length === 0 ? {} : { unpacked: changes.length }) };
}

/** The same as {@link unpack}, inside another pass. */
export async function unpackWeights(model: Model): Promise<Unpacked> {
  const changes: Change[] = [];
  const packed = new Map<Tensor, PackedForm>();
  const notes: string[] = [];
  const functions = await unpackFunctions(model);
  const called = new Set<Graph>();
  const shapes = new Set<Constant>();
  for (const graph of model.graphs()) {
    const tensors = new Map<string, readonly Tensor[]>();
    for (const node of functions.size === 0 ? [] : graph.nodes) {
      const callee = model.callee(node);
      const cuts = callee === undefined ? undefined : functions.get(callee);
      if (callee === undefined || cuts === undefined) continue;
      const found = await recognize(graph, node, cuts);
      if (typeof found === 'string') {
        notes.push(found);
        called.add(callee);
      } else {
        changes.push(replace(found, tensors, packed));
        shapes.add(found.shape);
      }
    }
    if (tensors.size > 0) graph.replaceInitializers(tensors);
    changes.push(...(await unpackSparse(graph, packed, notes)));
  }
  for (const shape of shapes) if (shape.node === undefined) dropUnused(shape, model.trainingNames);
  for (const one of functions.keys()) {
    if (called.has(one)) continue;
    model.removeFunction(one);
    dropDomain(model, one.signature?.domain ?? '');
  }
  return { changes, packed, notes };
}

/** Removes the import of a domain that is no longer used. */
function dropDomain(model: Model, domain: string): void {
  const functions = model.functions.some(({ signature }) => signature?.domain === domain);
  if (functions) return;
  for (const { node } of model.nodes()) if (node.domain === domain) return;
  model.removeOpset(domain);
}

/** Removes the node of a weight from its graph, and records in `tensors` the changes to the initializers. */
function replace(
  { graph, node, dims, mask, values }: PackedWeight,
  tensors: Map<string, readonly Tensor[]>,
  packed: Map<Tensor, PackedForm>,
): Change {
  const name = node.outputs[0] ?? '';
  const users = usersOf(graph, name);
  const inside = values.node === undefined ? name : values.tensor.name;
  const dense = denseOf(inside, dims, mask.tensor, values.tensor);
  graph.removeNode(node);
  if (values.node === undefined || mask.node === undefined) {
    tensors.set(constantName(mask), []);
    tensors.set(constantName(values), [dense]);
  } else {
    const kept = values.node.attributes.filter((one) => one.name !== 'value');
    const attributes = [...kept, attribute.tensor('value', dense)];
    graph.removeNode(mask.node);
    graph.replaceNode(values.node, { ...values.node, outputs: [name], attributes });
  }
  const byteLength = mask.tensor.byteLength + values.tensor.byteLength;
  packed.set(dense, { form: 'bitmask', byteLength });
  return { ...users, ...changeOf(dense, byteLength), weight: name };
}

async function unpackSparse(graph: Graph, packed: Map<Tensor, PackedForm>, notes: string[]): Promise<Change[]> {
  const changes: Change[] = [];
  const done = new Set<string>();
  for (const sparse of graph.sparseInitializers) {
    const twice = graph.initializers.has(sparse.name) || graph.producer(sparse.name) !== undefined;
    const dense = twice ? 'another value has the same name' : await expandSparse(sparse);
    if (typeof dense === 'string') {
      notes.push(`the sparse weight '${sparse.name}' is left as it is: ${dense}`);
      continue;
    }
    const byteLength = (sparse.values?.byteLength ?? 0) + (sparse.indices?.byteLength ?? 0);
    packed.set(dense, { form: 'sparse', byteLength });
    changes.push({ ...usersOf(graph, sparse.name), ...changeOf(dense, byteLength), weight: sparse.name });
    graph.setInitializer(dense);
    done.add(sparse.name);
  }
  if (done.size > 0) graph.removeSparseInitializers(done);
  return changes;
}

function usersOf(graph: Graph, name: string): Pick<Change, 'nodes' | 'opType'> {
  const nodes = graph.uses(name).flatMap((use) => (use.node === undefined ? [] : [use.node]));
  return { nodes: namesOf(nodes), opType: operatorsOf(nodes) };
}

function changeOf({ dtype, dims, byteLength }: Tensor, before: number): Omit<Change, 'weight' | 'nodes' | 'opType'> {
  return { dtype, dims, elements: dims.reduce((a, b) => a * b, 1), before, after: byteLength, form: 'dense' };
}
