import { withBodies } from '../../ir/bodies.ts';
import { byteLengthOf, type DType, elementCount, type FloatDType, isFloat } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import { isOp, type Node } from '../../ir/node.ts';
import { RESHAPES } from '../../ir/reshapes.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { constantName, madeFrom } from '../../layers/constant.ts';
import type { Change } from '../../layers/skip.ts';
import type { Decodable } from '../../schemes/decodable.ts';
import { likelyOriginal, nameFor } from '../../schemes/names.ts';
import { floatTensor, type Reals } from '../../schemes/reals.ts';
import { namesOf, operatorsOf } from '../pack/weights.ts';

/** The layout of a float weight, where it differs from the stored one. */
export interface Layout {
  /** The last two axes swapped. */
  readonly swapped?: boolean;
  readonly dims?: readonly number[];
  readonly dtype?: DType;
}

/** A float weight that was created. */
interface Made {
  readonly key: string;
  readonly name: string;
  readonly held: Constant;
  readonly reals: Reals;
  change: Omit<Change, 'nodes' | 'opType'>;
}

/**
 * Creates float initializers for stored weights, in the same graph. All readers of the same numbers in the same layout
 * share one. Weights are decoded in chunks while the model is written.
 */
export class FloatWeights {
  readonly #made = new Map<Tensor, Made[]>();
  readonly #numbers = new Map<Tensor, number>();

  /** Whether there is an initializer for a weight. */
  has(held: Constant, weight: Decodable): boolean {
    const { key } = this.#laid(weight, {});
    return this.#made.get(held.tensor)?.some((one) => one.key === key) === true;
  }

  /** The name of the initializer for a weight. */
  of(held: Constant, weight: Decodable, layout: Layout = {}): string {
    const { key, swapped, dims, dtype } = this.#laid(weight, layout);
    const known = this.#made.get(held.tensor) ?? [];
    const found = known.find((one) => one.key === key) ?? this.#make(held, weight, { swapped, dims, dtype }, key);
    if (!known.includes(found)) this.#made.set(held.tensor, [...known, found]);
    return found.name;
  }

  #laid(weight: Decodable, layout: Layout): Required<Layout> & { readonly key: string } {
    const { swapped = false, dims = swapped ? swappedDims(weight.dims) : weight.dims } = layout;
    const dtype = (layout.dtype ?? weight.dtype) as FloatDType;
    const parts = weight.parts.map((one) => this.#number(one));
    return { swapped, dims, dtype, key: JSON.stringify([swapped, dims, dtype, weight.scheme.name, parts]) };
  }

  /** The created weights with their readers, for the report; unread ones are removed again. */
  settled(): Change[] {
    return [...this.#made.values()].flat().flatMap(({ held: { graph }, name, change }) => {
      const nodes = readersOf(graph, name);
      if (nodes.length > 0) return [{ ...change, nodes: namesOf(nodes), opType: operatorsOf(nodes) }];
      graph.removeInitializer(name);
      graph.removeInput(name);
      return [];
    });
  }

  /** Changes the type of a created weight. */
  recast(name: string, dtype: DType): boolean {
    const made = [...this.#made.values()].flat().find((one) => one.name === name);
    if (made === undefined || !isFloat(dtype)) return false;
    const { held, change, reals } = made;
    held.graph.addInitializer(madeFrom(held, floatTensor(name, dtype, change.dims, reals)));
    const form = (change.form ?? '').replace(change.dtype, dtype);
    made.change = { ...change, dtype, after: byteLengthOf(dtype, change.elements), form };
    return true;
  }

  #make(held: Constant, weight: Decodable, layout: Required<Layout>, key: string): Made {
    const name = nameOf(held);
    const { dims, swapped } = layout;
    const dtype = layout.dtype as FloatDType;
    const reals = swapped ? weight.swapped : weight.reals;
    held.graph.addInitializer(madeFrom(held, floatTensor(name, dtype, dims, reals)));
    const elements = elementCount(dims);
    const before = weight.parts.reduce((sum, one) => sum + one.byteLength, 0);
    const after = byteLengthOf(dtype, elements);
    const change = { weight: name, dtype, dims, elements, before, after, form: `${dtype} from ${weight.scheme.name}` };
    return { key, name, held, reals, change };
  }

  #number(tensor: Tensor): number {
    const found = this.#numbers.get(tensor) ?? this.#numbers.size;
    this.#numbers.set(tensor, found);
    return found;
  }
}

/** The original name of a stored weight, if known. */
export function originalOf(held: Constant): string | undefined {
  return held.tensor.from?.name ?? likelyOriginal(constantName(held));
}

/** The original name of a stored weight if known and free, otherwise one derived from the name of its integers. */
function nameOf(held: Constant): string {
  const stored = constantName(held);
  const original = originalOf(held);
  if (original === undefined) return nameFor(held.graph, stored, 'real');
  const free = withBodies([held.graph.root]).every((graph) => !graph.defines(original));
  return free ? original : held.graph.uniqueName(original);
}

function swappedDims(dims: readonly number[]): number[] {
  return [...dims.slice(0, -2), ...dims.slice(-2).reverse()];
}

/** Nodes that read a value, looking through Transpose and nodes that change its dims. */
function readersOf(graph: Graph, value: string, steps = 4): Node[] {
  return graph.uses(value).flatMap(({ graph: at, node }) => {
    if (node === undefined) return [];
    const passed = steps > 0 && ['Identity', 'Transpose', 'Cast', ...RESHAPES].some((one) => isOp(node, one));
    const further = passed ? readersOf(at, node.outputs[0] ?? '', steps - 1) : [];
    return further.length > 0 ? further : [node];
  });
}
