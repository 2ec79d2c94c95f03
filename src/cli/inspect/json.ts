import type { ModelHeader } from '../../ir/header.ts';
import type { Model } from '../../ir/model.ts';
import type { Attribute, Node } from '../../ir/node.ts';
import type { Inspection } from '../../passes/inspect/index.ts';
import { plain } from '../json.ts';

/** Longest value of metadata that is given whole. */
const MAX_VALUE = 4096;

/** The header for programs: values of metadata as text, long ones cut to their length alone. */
export async function headerJson(header: ModelHeader): Promise<object> {
  const { docString, metadata, ...rest } = header;
  const entries = metadata.map(async ({ key, value }) => {
    const { byteLength } = value;
    return byteLength > MAX_VALUE ? { key, byteLength } : { key, byteLength, value: decode(await value.load()) };
  });
  return { ...rest, docStringByteLength: docString?.byteLength ?? 0, metadata: await Promise.all(entries) };
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The nodes of every graph for programs. */
export function graphsJson(model: Model): object[] {
  return model.graphs().map((graph) => ({ name: graph.name, kind: graph.kind, nodes: graph.nodes.map(nodeJson) }));
}

function nodeJson({ name, domain, opType, inputs, outputs, attributes }: Node): object {
  return { name, domain, opType, inputs, outputs, attributes: attributes.map(attributeJson) };
}

function attributeJson(one: Attribute): object {
  const { name, type } = one;
  switch (one.type) {
    case 'int':
    case 'ints':
    case 'float':
    case 'floats':
    case 'string':
    case 'strings':
    case 'reference':
      return { name, type, value: one.value };
    case 'tensor':
      return { name, type, dtype: one.value.dtype, dims: one.value.dims };
    case 'graph':
      return { name, type, graph: one.value.name };
    default:
      return { name, type };
  }
}

/** An inspection as JSON: integers beyond 2^53 and numbers that are not finite as texts. */
export function inspectionJson(input: string, header: object, found: Inspection, graphs?: object[]): string {
  return `${JSON.stringify({ input, header, ...found, ...(graphs && { graphs }) }, plain, 2)}\n`;
}
