import { DTYPES, type DType } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import { mixedLayerNorm } from '../../targets/rewrites.ts';
import { throughSum } from '../sum.ts';
import { ValueFacts } from './infer.ts';

/** A decomposed layer normalization, as ONNX Runtime matches it. */
interface WrittenOut {
  /** ReduceMean and one or two Subs: those that read the input. */
  readonly first: readonly Node[];
  /** The Cast that makes their input, if nothing else reads it. */
  readonly cast: Node | undefined;
  readonly div: Node;
  /** The reader of the Div. */
  readonly next: Node;
  readonly scale: DType | undefined;
}

/**
 * Prevents ONNX Runtime from fusing a LayerNormalization of two types, see {@link mixedLayerNorm}:
 * ```
 * before  x (float16) ── Cast ── ReduceMean, Sub, …, Div ── Mul(scale: float32) ── Add
 *
 * after   x (float16) ── Cast ── Sum ── ReduceMean, Sub, …, Div ── Mul(scale: float32) ── Add
 * ```
 * The fused node would read the input of the Cast and the scale of the Mul. With the Sum, it reads float32. If a Sum
 * before it does not give one type, a Sum after the Div prevents the fusion.
 * @returns the number of layer normalizations changed
 */
export function stopMixedLayerNorms(graph: Graph, opset: number): number {
  if (opset < mixedLayerNorm.value) return 0;
  const facts = new ValueFacts();
  const mixed = graph.nodes.flatMap((node) => {
    const found = isOp(node, 'ReduceMean') ? writtenOut(graph, node, facts) : undefined;
    return found !== undefined && isMixed(graph, found, facts) ? [found] : [];
  });
  for (const { first, cast, div, next, scale } of mixed) {
    if (cast !== undefined && castTo(cast) === scale) throughSum(graph, cast.outputs[0] ?? '', first, 'normalized');
    else throughSum(graph, div.outputs[0] ?? '', [next], 'normalized');
  }
  return mixed.length;
}

/** Whether the LayerNormalization would read one type and scale by another. */
function isMixed(graph: Graph, { first, cast, scale }: WrittenOut, facts: ValueFacts): boolean {
  const input = facts.dtype(graph, (cast ?? (first[0] as Node)).inputs[0] ?? '');
  if (scale === undefined) return false;
  // A Cast changes the type, unless the type of its input is known.
  return input === undefined ? cast !== undefined && castTo(cast) === scale : input !== scale;
}

function castTo(cast: Node): DType | undefined {
  return DTYPES[intAttribute(cast, 'to', 0)];
}

/** The layer normalization that starts with this ReduceMean. */
function writtenOut(graph: Graph, mean: Node, facts: ValueFacts): WrittenOut | undefined {
  const [x = ''] = mean.inputs;
  const subs = readersOf(graph, mean);
  const [sub] = subs;
  if (sub === undefined || subs.length > 2 || !subs.every((one) => isOp(one, 'Sub') && one.inputs.includes(x))) {
    return undefined;
  }
  const within = only(graph, sub, 'Cast') ?? sub;
  const div = [within, ...subs.slice(1)].flatMap((one) => readersOf(graph, one)).find((one) => isOp(one, 'Div'));
  if (div === undefined || !isOp(graph.producer(div.inputs[1] ?? '') ?? div, 'Sqrt')) return undefined;
  const between = only(graph, div, 'Cast');
  const mul = only(graph, between ?? div, 'Mul');
  if (mul === undefined || only(graph, mul, 'Add') === undefined) return undefined;
  const normalized = (between ?? div).outputs[0];
  const factor = mul.inputs.find((one) => one !== normalized) ?? '';
  const before = graph.producer(x);
  const alone = before !== undefined && isOp(before, 'Cast') && graph.uses(x).length === subs.length + 1;
  return {
    first: [mean, ...subs],
    cast: alone ? before : undefined,
    div,
    next: between ?? mul,
    scale: facts.dtype(graph, factor) ?? facts.dtype(graph, normalized ?? ''),
  };
}

/** The nodes that read the first output of a node; none if a body or a caller reads it too. */
function readersOf(graph: Graph, node: Node): Node[] {
  const uses = graph.uses(node.outputs[0] ?? '');
  const readers = uses.flatMap((use) => (use.node === undefined || use.graph !== graph ? [] : [use.node]));
  return readers.length === uses.length ? [...new Set(readers)] : [];
}

/** The only reader of a node's first output, if it is of that operator. */
function only(graph: Graph, node: Node, opType: string): Node | undefined {
  const [reader, more] = readersOf(graph, node);
  return reader !== undefined && more === undefined && isOp(reader, opType) ? reader : undefined;
}
