import { CompressError } from '../errors.ts';
import type { Graph, ValueInfo } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import { type Attribute, bodiesOf, type Node } from '../ir/node.ts';
import { encodeSparse, encodeTensor, type Placement, type TensorOptions } from './encodeTensor.ts';
import { encodeValueInfo } from './encodeValue.ts';
import { ATTRIBUTE, ATTRIBUTE_TYPES, ENTRY, FIXED32, FUNCTION, GRAPH, MODEL, NODE, OPSET } from './fields.ts';
import { containers, externalNodes, externals, holdsExternal, modelOrigins, originOf } from './origin.ts';
import { Parts } from './parts.ts';
import { tag, writer } from './protobuf.ts';
import { leavesOf } from './readGraph.ts';

/**
 * Nodes and outputs that a written file gets in addition to the model, which itself does not change. Outputs may have
 * any name.
 */
export interface Addition {
  /** Added after the main graph's own nodes. */
  readonly nodes?: readonly Node[];
  /** Added after the main graph's own outputs. */
  readonly outputs: readonly ValueInfo[];
}

/** What encoding needs besides the model. */
export interface EncodeOptions extends TensorOptions {
  readonly adding?: Addition | undefined;
}

/** Whether the model is unchanged since it was read. */
export function isUntouchedModel(model: Model): boolean {
  const origin = containers.get(model);
  if (origin === undefined || modelOrigins.get(model)?.irVersion !== model.irVersion) return false;
  return (
    same(origin.leaves, [...model.opsets, ...model.functions, ...model.metadata]) &&
    [model.graph, ...model.functions].every(isUntouched)
  );
}

/** Encodes the whole model. */
export function encodeModel(model: Model, options: EncodeOptions): Parts {
  const parts = new Parts();
  const write: Record<number, () => void> = {
    [MODEL.irVersion]: () => {
      const origin = modelOrigins.get(model);
      if (origin?.irVersion === model.irVersion) parts.segment(origin.irVersionField);
      else parts.int(MODEL.irVersion, model.irVersion);
    },
    [MODEL.graph]: () => {
      if (options.adding === undefined) encodeGraphField(parts, MODEL.graph, model.graph, options);
      else parts.message(MODEL.graph, encodeGraph(model.graph, options, options.adding));
    },
    [MODEL.opsetImport]: () => {
      for (const one of model.opsets) {
        encodeLeaf(parts, MODEL.opsetImport, one, () =>
          new Parts().text(OPSET.domain, one.domain).int(OPSET.version, one.version).blob(one.extra),
        );
      }
    },
    [MODEL.metadata]: () => {
      for (const one of model.metadata) {
        encodeLeaf(parts, MODEL.metadata, one, () =>
          new Parts().text(ENTRY.key, one.key).message(ENTRY.value, new Parts().blob(one.value)).blob(one.extra),
        );
      }
    },
    [MODEL.functions]: () => {
      for (const one of model.functions) encodeGraphField(parts, MODEL.functions, one, options);
    },
  };
  encodeContainer(parts, model, write);
  return parts;
}

/** Writes a container's fields in the order of the file; fields that the file did not have follow at the end. */
function encodeContainer(parts: Parts, container: Graph | Model, write: Record<number, () => void>): void {
  const outline = containers.get(container)?.outline ?? [];
  for (const entry of outline) {
    if (typeof entry === 'number') write[entry]?.();
    else parts.segment(entry);
  }
  for (const [field, encode] of Object.entries(write)) if (!outline.includes(Number(field))) encode();
}

function encodeGraphField(parts: Parts, field: number, graph: Graph, options: EncodeOptions): void {
  const origin = containers.get(graph);
  if (origin !== undefined && staysAsItWas(graph, options)) {
    const payload = new Parts().segment(origin.payload);
    const whole = originOf(graph);
    if (whole?.field === field) parts.segment(whole.whole);
    else parts.message(field, payload);
    return;
  }
  parts.message(field, graph.kind === 'function' ? encodeFunction(graph, options) : encodeGraph(graph, options));
}

function encodeGraph(graph: Graph, options: EncodeOptions, adding?: Addition): Parts {
  const parts = new Parts();
  if (!containers.has(graph)) parts.text(GRAPH.name, graph.name);
  const values = (field: number, list: readonly ValueInfo[]): (() => void) => {
    return () => {
      for (const one of list) encodeLeaf(parts, field, one, () => encodeValueInfo(one));
    };
  };
  encodeContainer(parts, graph, {
    [GRAPH.node]: () => {
      for (const node of graph.nodes) encodeNode(parts, GRAPH.node, node, options);
      for (const node of adding?.nodes ?? []) encodeNode(parts, GRAPH.node, node, options);
    },
    [GRAPH.initializer]: () => {
      for (const tensor of graph.initializers.values()) encodeTensor(parts, GRAPH.initializer, tensor, options);
    },
    [GRAPH.input]: values(GRAPH.input, graph.inputs),
    [GRAPH.output]: values(GRAPH.output, [...graph.outputs, ...(adding?.outputs ?? [])]),
    [GRAPH.valueInfo]: values(GRAPH.valueInfo, graph.valueInfo),
    [GRAPH.sparseInitializer]: () => {
      for (const one of graph.sparseInitializers) {
        encodeLeaf(parts, GRAPH.sparseInitializer, one, () => encodeSparse(one, options));
      }
    },
  });
  return parts;
}

function encodeFunction(graph: Graph, options: EncodeOptions): Parts {
  const parts = new Parts();
  if (!containers.has(graph)) encodeSignature(parts, graph);
  encodeContainer(parts, graph, {
    [FUNCTION.node]: () => {
      for (const node of graph.nodes) encodeNode(parts, FUNCTION.node, node, options);
    },
  });
  return parts;
}

/** The signature of a function that was created, not read. */
function encodeSignature(parts: Parts, { name, inputs, outputs, signature }: Graph): void {
  parts.text(FUNCTION.name, name);
  for (const one of inputs) parts.text(FUNCTION.input, one.name);
  for (const one of outputs) parts.text(FUNCTION.output, one.name);
  for (const { domain, version } of signature?.opsets ?? []) {
    parts.message(FUNCTION.opsetImport, new Parts().text(OPSET.domain, domain).int(OPSET.version, version));
  }
  parts.text(FUNCTION.domain, signature?.domain ?? '');
}

function encodeNode(parts: Parts, field: number, node: Node, options: EncodeOptions): void {
  const origin = originOf(node);
  const settled = bodiesOf(node).every((body) => staysAsItWas(body, options));
  if (origin?.field === field && settled && (options.keepExternal || !externalNodes.has(node))) {
    parts.segment(origin.whole);
    return;
  }
  const known = encodedNodes.get(node);
  if (known !== undefined) {
    parts.message(field, new Parts().bytes(known));
    return;
  }
  const inner = new Parts();
  for (const input of node.inputs) inner.text(NODE.input, input);
  for (const output of node.outputs) inner.text(NODE.output, output);
  if (node.name !== '') inner.text(NODE.name, node.name);
  inner.text(NODE.opType, node.opType);
  for (const one of node.attributes) encodeAttribute(inner, one, options);
  if (node.domain !== '') inner.text(NODE.domain, node.domain);
  if (node.overload !== '') inner.text(NODE.overload, node.overload);
  const flat = inner.blob(node.extra).flat();
  if (flat !== undefined && bodiesOf(node).length === 0) encodedNodes.set(node, flat);
  parts.message(field, inner);
}

/**
 * Encoded new nodes without bodies and tensors, kept because a model is encoded once to plan it and again to write it.
 */
const encodedNodes = new WeakMap<Node, Uint8Array>();

function encodeAttribute(parts: Parts, one: Attribute, options: EncodeOptions): void {
  const origin = originOf(one);
  const bodies = one.type === 'graph' ? [one.value] : one.type === 'graphs' ? one.value : [];
  const settled = bodies.every((body) => staysAsItWas(body, options));
  const external = one.type === 'tensor' && externals.has(one.value) && !options.keepExternal;
  if (origin?.field === NODE.attribute && settled && !external) {
    parts.segment(origin.whole);
    return;
  }
  if (one.type === 'opaque' || one.type === 'reference')
    throw new CompressError('internal', one.name, 'an attribute of unknown form cannot be encoded');
  const inner = new Parts().text(ATTRIBUTE.name, one.name);
  switch (one.type) {
    case 'float':
      inner.bytes(writer().uint32(tag(ATTRIBUTE.f, FIXED32)).float(one.value).finish());
      break;
    case 'int':
      inner.int(ATTRIBUTE.i, one.value);
      break;
    case 'string':
      inner.text(ATTRIBUTE.s, one.value);
      break;
    case 'tensor':
      encodeTensor(inner, ATTRIBUTE.t, one.value, { ...options, place: () => undefined });
      break;
    case 'graph':
      encodeGraphField(inner, ATTRIBUTE.g, one.value, options);
      break;
    case 'sparse_tensor':
      encodeLeaf(inner, ATTRIBUTE.sparseTensor, one.value, () => encodeSparse(one.value, options));
      break;
    case 'floats': {
      const list = writer();
      for (const value of one.value) list.uint32(tag(ATTRIBUTE.floats, FIXED32)).float(value);
      inner.bytes(list.finish());
      break;
    }
    case 'ints':
      for (const value of one.value) inner.int(ATTRIBUTE.ints, value);
      break;
    case 'strings':
      for (const value of one.value) inner.text(ATTRIBUTE.strings, value);
      break;
    case 'graphs':
      for (const body of one.value) encodeGraphField(inner, ATTRIBUTE.graphs, body, options);
      break;
  }
  parts.message(NODE.attribute, inner.int(ATTRIBUTE.type, ATTRIBUTE_TYPES[one.type]).blob(one.extra));
}

/** Copies a leaf from the file it came from, or encodes it. */
function encodeLeaf(parts: Parts, field: number, leaf: object, encode: () => Parts): void {
  const origin = originOf(leaf);
  if (origin?.field === field) parts.segment(origin.whole);
  else parts.message(field, encode());
}

/** Whether a graph can be copied from the file: nothing in it changed, and no weight moves to or from a data file. */
function staysAsItWas(graph: Graph, options: EncodeOptions): boolean {
  return isUntouched(graph) && (options.keepExternal || !holdsExternal(graph)) && !movesOut(graph, options.place);
}

/** Whether an initializer of the graph moves to a data file. */
function movesOut(graph: Graph, place: Placement): boolean {
  for (const tensor of graph.initializers.values()) if (place(tensor) !== undefined) return true;
  return [...graph.bodies].some((body) => movesOut(body, place));
}

function isUntouched(graph: Graph): boolean {
  const origin = containers.get(graph);
  if (origin === undefined || !same(origin.leaves, leavesOf(graph))) return false;
  return [...graph.bodies].every(isUntouched);
}

function same(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}
