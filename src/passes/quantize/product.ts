import type { DType } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { isOp, type Node } from '../../ir/node.ts';
import { isOutFirst } from '../../layers/axes.ts';
import { gemmParts, scaledBefore, transposeBefore, transposeNode } from '../../layers/gemm.ts';
import type { WeightUse } from '../../layers/select.ts';
import type { Given } from '../../schemes/encode.ts';
import type { EncodedIntegers } from '../../schemes/scheme.ts';
import type { Emitter, ProductForm, ProductWeight } from './emit.ts';

/** The planned form of a product of an activation and a matrix, before its weight is read. */
export interface ProductPlan {
  /** The weight as `[inputs, outputs]`; of a tied table `[outputs, inputs]`. */
  readonly given: Pick<Given, 'transposed' | 'factor'>;
  /** Writes the nodes. @param bias - instead of that of a Gemm */
  emit(weight: ProductWeight, form: ProductForm, bias?: string): void;
}

/**
 * How a MatMul or Gemm is written as a product on integers: alpha and transB of a Gemm go into the weight, its bias and
 * a following Add after the product. The weight is a matrix, or on the right of a MatMul one for each batch.
 * @param tied - the weight is also a table, so it keeps its layout
 * @returns undefined if it cannot be: its weight is none of the two, the rank of what a left weight meets is unknown
 */
export function planProduct(emitter: Emitter, use: WeightUse, tied: boolean): ProductPlan | undefined {
  const { graph, node, dtype } = use;
  const gemm = isOp(node, 'Gemm') ? gemmParts(node) : undefined;
  const left = use.index === 0;
  const x = node.inputs[left ? 1 : 0] ?? '';
  const rank = left ? graph.typeOf(x)?.dims?.length : undefined;
  const turnable = !left || (gemm === undefined && rank !== undefined && rank > 0);
  const scalable = gemm === undefined || (gemm.alpha !== 0 && Number.isFinite(gemm.alpha));
  const { length } = use.held.tensor.dims;
  const batched = length > 2 && isOp(node, 'MatMul') && !left && !use.transposed;
  if (!(length === 2 || batched) || !turnable || !scalable) return undefined;
  const given = { transposed: !batched && !tied && isOutFirst(use), factor: gemm?.alpha ?? 1 };
  const emit: ProductPlan['emit'] = (made, form, bias) => {
    const weight = tied ? emitter.transposed(graph, node, made as EncodedIntegers) : made;
    const write = (x: string, how: How, after?: readonly Node[]): void =>
      writeProduct(emitter, { graph, node, x, dtype }, weight, form, how, after);
    if (gemm !== undefined) {
      const a = gemm.transA ? transposeBefore(graph, node, x, 2) : x;
      const given = bias ?? gemm.c;
      let c = given === undefined ? undefined : emitter.toFloat(graph, node, given, dtype);
      if (c !== undefined && gemm.beta !== 1) c = scaledBefore(graph, node, c, gemm.beta);
      write(a, { added: c });
    } else if (left && (rank as number) > 1) {
      const swapped = transposeBefore(graph, node, x, rank as number);
      const y = graph.uniqueName(`${node.outputs[0]}_swapped`);
      write(swapped, { output: y }, [transposeNode(graph, y, node.outputs[0] as string, rank as number)]);
    } else {
      write(x, { add: dtype === 'float32' ? followingAdd(graph, node) : undefined });
    }
  };
  return { given, emit };
}

/** A product: its node, the activation, and their type. */
interface Multiplied {
  readonly graph: Graph;
  readonly node: Node;
  readonly x: string;
  readonly dtype: DType;
}

/** The context of a product. */
interface How {
  readonly added?: string | undefined;
  readonly output?: string;
  readonly add?: FollowingAdd | undefined;
}

/** Replaces a node by its quantized product, and a following Add by the new addition. */
export function writeProduct(
  emitter: Emitter,
  { graph, node, x, dtype }: Multiplied,
  weight: ProductWeight,
  form: ProductForm,
  how: How,
  after: readonly Node[] = [],
): void {
  const { add } = how;
  const added = add?.other ?? how.added;
  const output = add?.node.outputs[0] ?? how.output;
  const product = emitter.product(graph, node, x, weight, { ...form, dtype, added, output });
  if (add === undefined) {
    graph.replaceNode(node, ...product.main, ...product.end, ...after);
  } else {
    graph.replaceNode(node, ...product.main);
    graph.replaceNode(add.node, ...product.end);
  }
}

/** An Add that is the only reader of a product, and its other operand. */
interface FollowingAdd {
  readonly node: Node;
  readonly other: string;
}

export function followingAdd(graph: Graph, node: Node): FollowingAdd | undefined {
  const y = node.outputs[0] as string;
  const uses = graph.uses(y);
  const [use] = uses;
  if (uses.length !== 1 || use?.graph !== graph || use.node === undefined || !isOp(use.node, 'Add')) return undefined;
  const other = use.node.inputs[1 - use.index];
  return other === undefined || other === y ? undefined : { node: use.node, other };
}
