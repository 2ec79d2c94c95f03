import type { ValueInfo } from '../../ir/graph.ts';
import type { ModelHeader } from '../../ir/header.ts';
import type { Structure, WeightFacts } from '../../passes/inspect/index.ts';
import { formatBytes } from '../../passes/size.ts';
import type { RenderOptions } from '../table.ts';
import { count, printable } from '../text.ts';

/** How to print an inspection. */
export interface InspectRender extends RenderOptions {
  /** Bars of histograms in ASCII. */
  readonly ascii: boolean;
}

/** Number of names in a line before the rest is only counted. */
const NAMED = 8;

/** A type and shape for people: `float32 [batch, 64]`, with `?` for an unknown dimension. */
export function shapeOf({ dtype, dims }: Pick<ValueInfo, 'dtype' | 'dims'>): string {
  if (dtype === undefined) return 'not a tensor, or of a type the file does not state';
  return dims === undefined ? `${dtype} of any rank` : `${dtype} [${dims.map((dim) => dim ?? '?').join(', ')}]`;
}

/** `float32 256×64`. */
export function shape({ dtype, dims }: Pick<WeightFacts, 'dtype' | 'dims'>): string {
  return `${dtype} ${dims.join('×')}`.trimEnd();
}

/** What a file says about itself, as pairs of a label and a text that is safe for a terminal. */
export function headerLines(header: ModelHeader, structure: Structure): [what: string, text: string][] {
  const { producerName, producerVersion, domain, modelVersion, metadata, dataFiles } = header;
  const opsets = structure.opsets.map((one) => `${one.domain === '' ? 'opset' : one.domain} ${one.version}`);
  const lines: [string, string][] = [
    ['format', printable([`IR version ${structure.irVersion}`, ...opsets].join(', '))],
  ];
  const add = (what: string, text: string): void => {
    if (text !== '') lines.push([what, printable(text)]);
  };
  add('producer', `${producerName} ${producerVersion}`.trim());
  add('model', [domain, modelVersion === 0 ? '' : `version ${modelVersion}`].filter((one) => one !== '').join(', '));
  const { bodies } = structure;
  const inside = bodies === 0 ? '' : ` with ${count(bodies, 'body').replace('bodys', 'bodies')} of If, Loop or Scan`;
  add('graph', `${structure.graph} (${count(structure.nodes, 'node')}${inside})`.trim());
  for (const one of structure.inputs) add('input', `${one.name}  ${shapeOf(one)}`);
  for (const one of structure.outputs) add('output', `${one.name}  ${shapeOf(one)}`);
  const functions = structure.functions.map((one) => `${one.domain}.${one.name} (${count(one.nodes, 'node')})`);
  add('functions', few(functions));
  add('metadata', few(metadata.map(({ key, value }) => `${key} (${formatBytes(value.byteLength)})`)));
  add('data files', few(dataFiles.map((one) => `${one.location} (${formatBytes(one.byteLength)})`)));
  add('sparse', few(structure.sparse.map((one) => `${one.name} ${shapeOf(one)}, ${one.stored} stored`)));
  if (structure.packed > 0) {
    add(
      'packed',
      `${count(structure.packed, 'weight')}; shown below as the weights they unpack to, with their bytes in the file`,
    );
  }
  return lines;
}

function few(list: readonly string[]): string {
  const more = list.length <= NAMED ? '' : ` and ${list.length - NAMED} more`;
  return list.slice(0, NAMED).join(', ') + more;
}
