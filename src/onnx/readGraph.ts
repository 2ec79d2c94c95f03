import { DTYPES } from '../ir/dtype.ts';
import { Graph, type ValueInfo } from '../ir/graph.ts';
import type { Attribute, Node } from '../ir/node.ts';
import type { SparseTensor, Tensor } from '../ir/tensor.ts';
import { Ranges, type ReadContext, remember, wholeOf } from './context.ts';
import {
  ATTRIBUTE,
  DIM,
  FIXED32,
  FUNCTION,
  GRAPH,
  LENGTH,
  MAX_LIST,
  MAX_RANK,
  NODE,
  SHAPE,
  TENSOR_TYPE,
  TYPE,
  VALUE_INFO,
} from './fields.ts';
import { containers, externalNodes, externals, OutlineBuilder } from './origin.ts';
import { readSparse, readTensor } from './readTensor.ts';
import type { Field } from './wire.ts';

/** Reads a GraphProto: the main graph or a body. `where` begins the names in errors, e.g. `graph`. */
export async function readGraph(context: ReadContext, field: Field, where: string): Promise<Graph> {
  const { skim } = context;
  const outline = new OutlineBuilder();
  const nodes: Node[] = [];
  const initializers = new Map<string, Tensor>();
  const sparseInitializers: SparseTensor[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const valueInfo: ValueInfo[] = [];
  let name = '';
  skim.expect(field, LENGTH);
  await skim.walk(field.start, field.end, async (one) => {
    switch (one.number) {
      case GRAPH.node:
        nodes.push(await readNode(context, one, `${where}.node[${nodes.length}]`));
        break;
      case GRAPH.initializer: {
        const tensor = await readTensor(context, one, `${where}.initializer[${initializers.size}]`);
        if (initializers.has(tensor.name))
          throw skim.error(one.tagStart, `two initializers of ${where} are called '${tensor.name}'`);
        initializers.set(tensor.name, tensor);
        break;
      }
      case GRAPH.sparseInitializer:
        sparseInitializers.push(
          await readSparse(context, one, `${where}.sparse_initializer[${sparseInitializers.length}]`),
        );
        break;
      case GRAPH.input:
        inputs.push(await readValueInfo(context, one));
        break;
      case GRAPH.output:
        outputs.push(await readValueInfo(context, one));
        break;
      case GRAPH.valueInfo:
        valueInfo.push(await readValueInfo(context, one));
        break;
      default:
        if (one.number === GRAPH.name) name = await skim.text(one);
        outline.copy(wholeOf(context, one));
        return;
    }
    outline.leaf(one.number);
  });
  const graph = new Graph({
    name,
    nodes,
    initializers: [...initializers.values()],
    sparseInitializers,
    inputs,
    outputs,
    valueInfo,
  });
  const leaves = leavesOf(graph);
  containers.set(graph, { payload: skim.segment(field.start, field.end), outline: outline.done(), leaves });
  return graph;
}

/** Reads a FunctionProto as a graph without initializers. */
export async function readFunction(context: ReadContext, field: Field, where: string): Promise<Graph> {
  const { skim } = context;
  const outline = new OutlineBuilder();
  const nodes: Node[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const valueInfo: ValueInfo[] = [];
  let name = '';
  skim.expect(field, LENGTH);
  await skim.walk(field.start, field.end, async (one) => {
    if (one.number === FUNCTION.node) {
      nodes.push(await readNode(context, one, `${where}.node[${nodes.length}]`));
      outline.leaf(one.number);
      return;
    }
    if (one.number === FUNCTION.name) name = await skim.text(one);
    else if (one.number === FUNCTION.input) inputs.push({ name: await skim.text(one) });
    else if (one.number === FUNCTION.output) outputs.push({ name: await skim.text(one) });
    else if (one.number === FUNCTION.valueInfo) valueInfo.push(await readValueInfo(context, one));
    outline.copy(wholeOf(context, one));
  });
  const graph = new Graph({ kind: 'function', name, nodes, inputs, outputs, valueInfo });
  const leaves = leavesOf(graph);
  containers.set(graph, { payload: skim.segment(field.start, field.end), outline: outline.done(), leaves });
  return graph;
}

/** Every leaf of a graph in order: what must still be the same for the graph to be untouched. */
export function leavesOf(graph: Graph): object[] {
  return [...graph.nodes, ...graph.initializers.values(), ...graph.inputs];
}

async function readNode(context: ReadContext, field: Field, where: string): Promise<Node> {
  const { skim } = context;
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: Attribute[] = [];
  const extra = new Ranges();
  let name = '';
  let opType = '';
  let domain = '';
  let overload = '';
  skim.expect(field, LENGTH);
  await skim.walk(field.start, field.end, async (one) => {
    switch (one.number) {
      case NODE.input:
        inputs.push(await skim.text(one));
        break;
      case NODE.output:
        outputs.push(await skim.text(one));
        break;
      case NODE.name:
        name = await skim.text(one);
        break;
      case NODE.opType:
        opType = await skim.text(one);
        break;
      case NODE.domain:
        domain = await skim.text(one);
        break;
      case NODE.overload:
        overload = await skim.text(one);
        break;
      case NODE.attribute:
        attributes.push(await readAttribute(context, one, where));
        break;
      default:
        extra.add(wholeOf(context, one));
    }
  });
  const node = remember(
    context,
    { name, opType, domain, overload, inputs, outputs, attributes, ...extra.orNone() },
    field,
  );
  if (attributes.some((one) => one.type === 'tensor' && externals.has(one.value))) externalNodes.add(node);
  return node;
}

async function readAttribute(context: ReadContext, field: Field, where: string): Promise<Attribute> {
  const { skim } = context;
  let name = '';
  let reference = false;
  let found: Attribute | undefined;
  const floats: number[] = [];
  const ints: bigint[] = [];
  const strings: string[] = [];
  const graphs: Graph[] = [];
  let opaque = false;
  skim.expect(field, LENGTH);
  await skim.walk(field.start, field.end, async (one) => {
    switch (one.number) {
      case ATTRIBUTE.name:
        name = await skim.text(one);
        break;
      case ATTRIBUTE.f:
        skim.expect(one, FIXED32);
        found = { name, type: 'float', value: floatOf(one.value) };
        break;
      case ATTRIBUTE.i:
        found = { name, type: 'int', value: BigInt.asIntN(64, one.value) };
        break;
      case ATTRIBUTE.s:
        if (one.end - one.start > MAX_LIST) opaque = true;
        else found = { name, type: 'string', value: await textOf(context, one) };
        break;
      case ATTRIBUTE.t:
        found = { name, type: 'tensor', value: await readTensor(context, one, `${where}.${name}`) };
        break;
      case ATTRIBUTE.g:
        found = { name, type: 'graph', value: await readGraph(context, one, `${where}.${name}`) };
        break;
      case ATTRIBUTE.sparseTensor:
        found = { name, type: 'sparse_tensor', value: await readSparse(context, one, `${where}.${name}`) };
        break;
      case ATTRIBUTE.floats:
        await readFloats(context, one, floats);
        break;
      case ATTRIBUTE.ints:
        for (const value of await skim.ints(one, MAX_LIST)) ints.push(value);
        break;
      case ATTRIBUTE.strings:
        strings.push(await textOf(context, one));
        break;
      case ATTRIBUTE.graphs:
        graphs.push(await readGraph(context, one, `${where}.${name}[${graphs.length}]`));
        break;
      case ATTRIBUTE.refAttrName:
        reference = true;
        break;
      default:
        // type (20) says again what the filled field says; an empty list shows only there.
        if (one.number === ATTRIBUTE.type) found ??= emptyList(name, Number(one.value));
    }
  });
  const value = ((): Attribute => {
    if (reference || opaque) return { name, type: 'opaque' };
    if (floats.length > 0) return { name, type: 'floats', value: floats };
    if (ints.length > 0) return { name, type: 'ints', value: ints };
    if (strings.length > 0) return { name, type: 'strings', value: strings };
    if (graphs.length > 0) return { name, type: 'graphs', value: graphs };
    return found === undefined ? { name, type: 'opaque' } : { ...found, name };
  })();
  return remember(context, value, field);
}

function emptyList(name: string, type: number): Attribute | undefined {
  if (type === 6) return { name, type: 'floats', value: [] };
  if (type === 7) return { name, type: 'ints', value: [] };
  return type === 8 ? { name, type: 'strings', value: [] } : undefined;
}

async function textOf(context: ReadContext, field: Field): Promise<string> {
  context.skim.expect(field, LENGTH);
  return context.skim.text(field);
}

function floatOf(bits: bigint): number {
  return new Float32Array(Uint32Array.of(Number(bits & 0xffffffffn)).buffer)[0] as number;
}

async function readFloats(context: ReadContext, field: Field, into: number[]): Promise<void> {
  if (field.wireType === FIXED32) {
    into.push(floatOf(field.value));
    return;
  }
  context.skim.expect(field, LENGTH);
  const length = field.end - field.start;
  if (length > MAX_LIST * 4)
    throw context.skim.error(
      field.tagStart,
      `a list of ${length} bytes; at most ${MAX_LIST} numbers are taken`,
      'limit',
    );
  const bytes = await context.skim.bytes(field.start, field.end);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 4 <= bytes.byteLength; at += 4) into.push(view.getFloat32(at, true));
}

async function readValueInfo(context: ReadContext, field: Field): Promise<ValueInfo> {
  const { skim } = context;
  let name = '';
  let type: Field | undefined;
  skim.expect(field, LENGTH);
  const info: { dtype?: (typeof DTYPES)[number]; dims?: (number | string | undefined)[] } = {};
  const into = async (parent: Field, number: number, visit: (one: Field) => Promise<void> | void): Promise<void> => {
    skim.expect(parent, LENGTH);
    await skim.walk(parent.start, parent.end, (one) => (one.number === number ? visit(one) : undefined));
  };
  await skim.walk(field.start, field.end, async (one) => {
    if (one.number === VALUE_INFO.name) name = await skim.text(one);
    else if (one.number === VALUE_INFO.type) type = one;
  });
  if (type !== undefined) {
    await into(type, TYPE.tensor, async (tensor) => {
      skim.expect(tensor, LENGTH);
      await skim.walk(tensor.start, tensor.end, async (one) => {
        if (one.number === TENSOR_TYPE.elemType) info.dtype = DTYPES[Number(one.value)] ?? 'undefined';
        if (one.number !== TENSOR_TYPE.shape) return;
        const dims: (number | string | undefined)[] = [];
        info.dims = dims;
        await into(one, SHAPE.dim, async (dim) => {
          if (dims.length >= MAX_RANK)
            throw skim.error(dim.tagStart, `value '${name}' has more than ${MAX_RANK} dimensions`);
          dims.push(await readDim(context, dim));
        });
      });
    });
  }
  return remember(context, { name, ...info }, field);
}

async function readDim(context: ReadContext, field: Field): Promise<number | string | undefined> {
  let value: number | string | undefined;
  context.skim.expect(field, LENGTH);
  await context.skim.walk(field.start, field.end, async (one) => {
    if (one.number === DIM.value) value = Number(BigInt.asIntN(64, one.value));
    else if (one.number === DIM.param) value = (await context.skim.text(one)) || undefined;
  });
  return value;
}

/** Names a training graph refers to: its nodes' inputs, and both sides of its bindings. */
export async function readTrainingNames(context: ReadContext, field: Field, names: Set<string>): Promise<void> {
  const { skim } = context;
  skim.expect(field, LENGTH);
  await skim.walk(field.start, field.end, async (one) => {
    if (one.number === 1 || one.number === 2) {
      const graph = await readGraph(context, one, 'training_info');
      for (const node of graph.nodes) for (const name of node.inputs) names.add(name);
    } else if (one.wireType === LENGTH) {
      await skim.walk(one.start, one.end, async (side) => {
        if (side.wireType === LENGTH) names.add(await skim.text(side));
      });
    }
  });
}
