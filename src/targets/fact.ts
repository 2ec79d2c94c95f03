import type { Graph } from '../ir/graph.ts';
import { isOp, type Node } from '../ir/node.ts';
import type { Tensor } from '../ir/tensor.ts';

/** A behaviour of a runtime that determines what we write for it. */
export interface Fact<Value> {
  /** The behaviour, in a sentence or two. */
  readonly says: string;
  /** Its source: a file of the runtime's sources, or a page about it. */
  readonly source: string;
  /** The versions in which it was observed. */
  readonly version: string;
  /** The value that code reads. */
  readonly value: Value;
}

/** A node that reads a weight through a DequantizeLinear, as the file has it. */
export interface Reading {
  readonly weight: Tensor;
  readonly graph: Graph;
  readonly dequantize: Node;
  readonly node: Node;
  /** Whether the node's other factor also comes from a DequantizeLinear. */
  readonly quantized: boolean;
  /** The node that the runtime turned it into. */
  readonly made: Node | undefined;
  /** The number of nodes that read the weight. */
  readonly sharers: number;
}

/** A condition for a weight to be read by an integer kernel. */
export interface Condition<Value> extends Fact<Value> {
  /** The operators it applies to: products are MatMul and Gemm. */
  readonly of: 'table' | 'conv' | 'product';
  /** Why a reading does not meet it, for people; undefined if it does. */
  unmet(reading: Reading): string | undefined;
}

const SOURCES = 'https://github.com/microsoft/onnxruntime/blob/main/onnxruntime';

/** A file of ONNX Runtime's sources. */
export function ort(path: string): string {
  return `${SOURCES}/${path}`;
}

/** The version in which the facts are tested. */
export const MEASURED = '1.30';

/** Whether an operator of this type produces a value. */
export function madeBy(graph: Graph, value: string, opType: string): boolean {
  const producer = graph.producer(value);
  return producer !== undefined && isOp(producer, opType);
}
