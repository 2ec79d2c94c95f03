import type { ModelHeader } from '../../ir/header.ts';
import type { Model } from '../../ir/model.ts';
import type { Attribute, Node } from '../../ir/node.ts';
import type { ExtendedReal } from '../../kernels/real.ts';
import type { Inspection } from '../../passes/inspect/index.ts';

/** Maximum length of a metadata value that is included. */
const MAX_VALUE = 4096;

/** What `inspect --json` writes. */
export interface InspectJson extends Inspection {
  readonly input: string;
  readonly header: HeaderJson;
  /** The nodes of every graph, with --graph. */
  readonly graphs?: readonly GraphJson[];
}

/**
 * @param graphs - include the nodes
 */
export async function inspectionJson(
  input: string,
  header: ModelHeader,
  found: Inspection,
  graphs?: Model,
): Promise<InspectJson> {
  return { input, header: await headerJson(header), ...found, ...(graphs && { graphs: graphsJson(graphs) }) };
}

/** What a file says about itself. */
interface HeaderJson extends Omit<ModelHeader, 'docString' | 'metadata'> {
  readonly docStringByteLength: number;
  readonly metadata: readonly {
    readonly key: string;
    readonly byteLength: number;
    /** Absent if it is longer than 4096 bytes. */
    readonly value?: string;
  }[];
}

interface GraphJson {
  readonly name: string;
  readonly kind: string;
  readonly nodes: readonly NodeJson[];
}

interface NodeJson extends Pick<Node, 'name' | 'domain' | 'opType' | 'inputs' | 'outputs'> {
  readonly attributes: readonly AttributeJson[];
}

interface AttributeJson {
  readonly name: string;
  readonly type: Attribute['type'];
  readonly value?: bigint | ExtendedReal | string | readonly bigint[] | readonly ExtendedReal[] | readonly string[];
  /** For a tensor, whose elements are not included. */
  readonly dtype?: string;
  readonly dims?: readonly number[];
  /** The name of a body graph. */
  readonly graph?: string;
}

/** The header for programs: metadata values as text, long values only as their length. */
async function headerJson(header: ModelHeader): Promise<HeaderJson> {
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
function graphsJson(model: Model): GraphJson[] {
  return model.graphs().map((graph) => ({ name: graph.name, kind: graph.kind, nodes: graph.nodes.map(nodeJson) }));
}

function nodeJson({ name, domain, opType, inputs, outputs, attributes }: Node): NodeJson {
  return { name, domain, opType, inputs, outputs, attributes: attributes.map(attributeJson) };
}

function attributeJson(one: Attribute): AttributeJson {
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
