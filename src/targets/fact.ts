import type { Graph } from '../ir/graph.ts';
import { isOp, type Node } from '../ir/node.ts';
import type { Tensor } from '../ir/tensor.ts';

/** Something a runtime does that decides what is written for it. */
export interface Fact<Value> {
  /** What it does, in a sentence or two. */
  readonly says: string;
  /** Where it stands: a file of the runtime's sources, or a page about it. */
  readonly source: string;
  /** Versions it was seen in. */
  readonly version: string;
  /** What code has to know of it. */
  readonly value: Value;
}

/** A node that reads a weight through a DequantizeLinear, in the file as it was written. */
export interface Reading {
  readonly weight: Tensor;
  readonly graph: Graph;
  readonly dequantize: Node;
  readonly node: Node;
  /** Whether the node's other factor comes out of a DequantizeLinear too. */
  readonly quantized: boolean;
  /** What the runtime made of the node. */
  readonly made: Node | undefined;
  /** How many nodes read the weight. */
  readonly sharers: number;
}

/** A condition for a weight to be read by an integer kernel. */
export interface Condition<Value> extends Fact<Value> {
  /** Operators it is about: products are MatMul and Gemm. */
  readonly of: 'table' | 'conv' | 'product';
  /** How a reading does not meet it, as people read it; undefined if it does. */
  unmet(reading: Reading): string | undefined;
}

const SOURCES = 'https://github.com/microsoft/onnxruntime/blob/main/onnxruntime';

/** A file of ONNX Runtime's sources. */
export function ort(path: string): string {
  return `${SOURCES}/${path}`;
}

/** The version in which all facts are tested. */
export const MEASURED = '1.30';

/** Whether an operator makes a value. */
export function madeBy(graph: Graph, value: string, opType: string): boolean {
  const producer = graph.producer(value);
  return producer !== undefined && isOp(producer, opType);
}
