import { Graph, type ValueInfo } from '../ir/graph.ts';
import type { OpsetImport } from '../ir/model.ts';
import type { Attribute, Node } from '../ir/node.ts';
import type { SparseTensor, Tensor } from '../ir/tensor.ts';
import { Ranges, type ReadContext, remember, wholeOf } from './context.ts';
import { FUNCTION, GRAPH, LENGTH, NODE } from './fields.ts';
import { containers, externalNodes, externals, OutlineBuilder } from './origin.ts';
import { readAttribute } from './readAttribute.ts';
import type { Reading } from './reading.ts';
import { readOpset } from './readOpset.ts';
import { readSparse, readTensor } from './readTensor.ts';
import { readValueInfo } from './readValue.ts';
import type { Field } from './wireField.ts';

/** Reads a GraphProto: the main graph or a body. `where` begins the names in errors, e.g. `graph`. */
export function* readGraph(context: ReadContext, field: Field, where: string): Reading<Graph> {
  const { skim } = context;
  const outline = new OutlineBuilder();
  const nodes: Node[] = [];
  const initializers = new Map<string, Tensor>();
  const sparseInitializers: SparseTensor[] = [];
  const sparseNames = new Set<string>();
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const valueInfo: ValueInfo[] = [];
  let name = '';
  skim.expect(field, LENGTH);
  yield* skim.walk(field.start, field.end, function* (one) {
    switch (one.number) {
      case GRAPH.node:
        nodes.push(yield* readNode(context, one, `${where}.node[${nodes.length}]`));
        break;
      case GRAPH.initializer: {
        const tensor = yield* readTensor(context, one, `${where}.initializer[${initializers.size}]`);
        if (initializers.has(tensor.name))
          throw skim.error(one.tagStart, `two initializers of ${where} are named '${tensor.name}'`);
        initializers.set(tensor.name, tensor);
        break;
      }
      case GRAPH.sparseInitializer: {
        const sparse = yield* readSparse(context, one, `${where}.sparse_initializer[${sparseInitializers.length}]`);
        if (sparseNames.has(sparse.name))
          throw skim.error(one.tagStart, `two sparse initializers of ${where} are named '${sparse.name}'`);
        sparseNames.add(sparse.name);
        sparseInitializers.push(sparse);
        break;
      }
      case GRAPH.input:
        inputs.push(yield* readValueInfo(context, one));
        break;
      case GRAPH.output:
        outputs.push(yield* readValueInfo(context, one));
        break;
      case GRAPH.valueInfo:
        valueInfo.push(yield* readValueInfo(context, one));
        break;
      default:
        if (one.number === GRAPH.name) name = yield* skim.text(one);
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
export function* readFunction(context: ReadContext, field: Field, where: string): Reading<Graph> {
  const { skim } = context;
  const outline = new OutlineBuilder();
  const nodes: Node[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const valueInfo: ValueInfo[] = [];
  const opsets: OpsetImport[] = [];
  const defaults: Attribute[] = [];
  let name = '';
  let domain = '';
  let overload = '';
  skim.expect(field, LENGTH);
  yield* skim.walk(field.start, field.end, function* (one) {
    if (one.number === FUNCTION.node) {
      nodes.push(yield* readNode(context, one, `${where}.node[${nodes.length}]`));
      outline.leaf(one.number);
      return;
    }
    if (one.number === FUNCTION.name) name = yield* skim.text(one);
    else if (one.number === FUNCTION.domain) domain = yield* skim.text(one);
    else if (one.number === FUNCTION.overload) overload = yield* skim.text(one);
    else if (one.number === FUNCTION.opsetImport) opsets.push(yield* readOpset(context, one));
    else if (one.number === FUNCTION.attributeProto) {
      const read = readAttribute(context, one, where, readGraph, (attribute) => defaults.push(attribute));
      if (read !== undefined) yield* read;
    } else if (one.number === FUNCTION.input) inputs.push({ name: yield* skim.text(one) });
    else if (one.number === FUNCTION.output) outputs.push({ name: yield* skim.text(one) });
    else if (one.number === FUNCTION.valueInfo) valueInfo.push(yield* readValueInfo(context, one));
    outline.copy(wholeOf(context, one));
  });
  const signature = { domain, overload, defaults, opsets };
  const graph = new Graph({ kind: 'function', name, nodes, inputs, outputs, valueInfo, signature });
  const leaves = leavesOf(graph);
  containers.set(graph, { payload: skim.segment(field.start, field.end), outline: outline.done(), leaves });
  return graph;
}

/** Every leaf of a graph in order. The graph is unchanged if these are the same. */
export function leavesOf(graph: Graph): object[] {
  return [...graph.nodes, ...graph.initializers.values(), ...graph.sparseInitializers, ...graph.inputs];
}

function* readNode(context: ReadContext, field: Field, where: string): Reading<Node> {
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
  yield* skim.walk(field.start, field.end, (one) => {
    switch (one.number) {
      case NODE.input:
        return skim.textInto(one, (text) => inputs.push(text));
      case NODE.output:
        return skim.textInto(one, (text) => outputs.push(text));
      case NODE.name:
        return skim.textInto(one, (text) => {
          name = text;
        });
      case NODE.opType:
        return skim.textInto(one, (text) => {
          opType = text;
        });
      case NODE.domain:
        return skim.textInto(one, (text) => {
          domain = text;
        });
      case NODE.overload:
        return skim.textInto(one, (text) => {
          overload = text;
        });
      case NODE.attribute:
        return readAttribute(context, one, where, readGraph, (attribute) => attributes.push(attribute));
      default:
        extra.add(wholeOf(context, one));
        return undefined;
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
