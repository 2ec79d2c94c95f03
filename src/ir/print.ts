import type { Graph, ValueInfo } from './graph.ts';
import type { Model } from './model.ts';
import { type Attribute, isStandard, type Node } from './node.ts';

/**
 * The model as text, one line per node, without the values of weights: for golden tests and for reading. The format
 * follows ONNX's text syntax where that is short.
 */
export function print(model: Model): string {
  const opsets = model.opsets.map((one) => `"${shown(one.domain)}" : ${one.version}`).join(', ');
  const head = `<ir_version: ${model.irVersion}, opset_import: [${opsets}]>`;
  const functions = model.functions.map((one) => `function ${printGraph(one, '')}`);
  return `${[head, printGraph(model.graph, ''), ...functions].join('\n')}\n`;
}

/** A name without line breaks and other control characters, so that each node takes one line. */
function shown(name: string): string {
  return /\p{Cc}/u.test(name) ? JSON.stringify(name).slice(1, -1) : name;
}

function printGraph(graph: Graph, indent: string): string {
  const inner = `${indent}  `;
  const signature =
    `${shown(graph.name)} (${graph.inputs.map(printValue).join(', ')}) => ` +
    `(${graph.outputs.map(printValue).join(', ')})`;
  const weights = [...graph.initializers.values()].map((one) => `${inner}${one.dtype}[${one.dims}] ${shown(one.name)}`);
  const sparse = graph.sparseInitializers.map(
    (one) => `${inner}sparse ${one.dtype}[${one.dims}] ${shown(one.name)} (${one.stored} stored)`,
  );
  const nodes = graph.nodes.map((node) => `${inner}${printNode(node, inner)}`);
  return `${[`${signature} {`, ...weights, ...sparse, ...nodes, `${indent}}`].join('\n')}`;
}

function printValue(value: ValueInfo): string {
  if (value.dtype === undefined) return shown(value.name);
  const dims = value.dims === undefined ? '…' : value.dims.map((dim) => shown(String(dim ?? '?'))).join(',');
  return `${value.dtype}[${dims}] ${shown(value.name)}`;
}

function printNode(node: Node, indent: string): string {
  const domain = isStandard(node.domain) ? '' : `${shown(node.domain)}.`;
  const attributes = node.attributes.map((one) => `${shown(one.name)} = ${printAttribute(one, indent)}`).join(', ');
  const between = attributes === '' ? '' : ` <${attributes}>`;
  const names = (list: readonly string[]): string => list.map(shown).join(', ');
  return `${names(node.outputs)} = ${domain}${shown(node.opType)}${between} (${names(node.inputs)})`;
}

function printAttribute(attribute: Attribute, indent: string): string {
  switch (attribute.type) {
    case 'tensor':
      return `${attribute.value.dtype}[${attribute.value.dims}]`;
    case 'sparse_tensor':
      return `sparse ${attribute.value.dtype}[${attribute.value.dims}]`;
    case 'graph':
      return printGraph(attribute.value, indent);
    case 'graphs':
      return `[${attribute.value.map((one) => printGraph(one, indent)).join(', ')}]`;
    case 'string':
      return JSON.stringify(attribute.value);
    case 'strings':
      return `[${attribute.value.map((one) => JSON.stringify(one)).join(', ')}]`;
    case 'floats':
    case 'ints':
      return `[${attribute.value.join(', ')}]`;
    case 'reference':
    case 'opaque':
      return '…';
    default:
      return String(attribute.value);
  }
}
