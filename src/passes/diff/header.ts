import { equalBytes } from '../../bytes/bytes.ts';
import type { Blob } from '../../bytes/stored.ts';
import type { Graph, ValueInfo } from '../../ir/graph.ts';
import type { ModelHeader } from '../../ir/header.ts';
import type { Model } from '../../ir/model.ts';
import { nameOf } from '../inspect/roles.ts';
import type { FactChange, OperatorChange, ValueChange } from './types.ts';

/** Longest value of metadata in a report. */
const MAX_VALUE = 200;

/** What changed about the models as a whole. */
export async function headerChanges(before: Model, after: Model): Promise<FactChange[]> {
  const [old, now] = await Promise.all([before.header(), after.header()]);
  const changes: FactChange[] = [];
  const compare = (what: string, one: string | undefined, other: string | undefined): void => {
    if (one !== other) changes.push({ what, before: one, after: other });
  };
  compare('IR version', String(before.irVersion), String(after.irVersion));
  const [opsets, others] = [opsetsOf(before), opsetsOf(after)];
  for (const domain of new Set([...opsets.keys(), ...others.keys()])) {
    compare(domain === '' ? 'opset' : `opset ${domain}`, opsets.get(domain), others.get(domain));
  }
  compare('producer', producerOf(old), producerOf(now));
  compare('domain', old.domain || undefined, now.domain || undefined);
  compare('model version', String(old.modelVersion), String(now.modelVersion));
  compare('graph name', before.graph.name, after.graph.name);
  if (!(await sameBlob(old.docString, now.docString))) {
    changes.push({ what: 'doc string', before: await textOf(old.docString), after: await textOf(now.docString) });
  }
  changes.push(...(await metadataChanges(old, now)));
  const [functions, there] = [functionsOf(before), functionsOf(after)];
  for (const name of new Set([...functions, ...there])) {
    const state = (list: ReadonlySet<string>): string | undefined => (list.has(name) ? 'there' : undefined);
    compare(`function ${name}`, state(functions), state(there));
  }
  return changes;
}

async function metadataChanges(before: ModelHeader, after: ModelHeader): Promise<FactChange[]> {
  const changes: FactChange[] = [];
  const [old, now] = [before, after].map((one) => new Map(one.metadata.map(({ key, value }) => [key, value]))) as [
    Map<string, Blob>,
    Map<string, Blob>,
  ];
  for (const key of new Set([...old.keys(), ...now.keys()])) {
    const [one, other] = [old.get(key), now.get(key)];
    if (await sameBlob(one, other)) continue;
    changes.push({ what: `metadata ${key}`, before: await textOf(one), after: await textOf(other) });
  }
  return changes;
}

function opsetsOf(model: Model): Map<string, string> {
  return new Map(model.opsets.map((one) => [one.domain === 'ai.onnx' ? '' : one.domain, String(one.version)]));
}

function producerOf({ producerName, producerVersion }: ModelHeader): string | undefined {
  return `${producerName} ${producerVersion}`.trim() || undefined;
}

/** The key of a function: what a node calls it by. */
export function functionKey(one: Graph): string {
  const { domain = '', overload = '' } = one.signature ?? {};
  return `${domain}.${one.name}${overload === '' ? '' : `:${overload}`}`;
}

function functionsOf(model: Model): Set<string> {
  return new Set(model.functions.map(functionKey));
}

async function sameBlob(one: Blob | undefined, other: Blob | undefined): Promise<boolean> {
  if (one === undefined || other === undefined) return one === other;
  if (one.byteLength !== other.byteLength) return false;
  return equalBytes(await one.load(), await other.load());
}

async function textOf(blob: Blob | undefined): Promise<string | undefined> {
  if (blob === undefined) return undefined;
  if (blob.byteLength > MAX_VALUE) return `${blob.byteLength} bytes`;
  return new TextDecoder().decode(await blob.load());
}

/** Inputs and outputs that came, went or have another type. */
export function valueChanges(before: Model, after: Model): ValueChange[] {
  return [
    ...listChanges('input', before.graph.fedInputs, after.graph.fedInputs),
    ...listChanges('output', before.graph.outputs, after.graph.outputs),
  ];
}

function listChanges(
  kind: ValueChange['kind'],
  before: readonly ValueInfo[],
  after: readonly ValueInfo[],
): ValueChange[] {
  const [old, now] = [before, after].map((list) => new Map(list.map((one) => [one.name, typeText(one)]))) as [
    Map<string, string>,
    Map<string, string>,
  ];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((name) => {
    const [one, other] = [old.get(name), now.get(name)];
    return one === other ? [] : [{ kind, name, before: one, after: other }];
  });
}

/** `float32 [batch, 10]`. */
function typeText({ dtype, dims }: ValueInfo): string {
  if (dtype === undefined) return 'no tensor';
  return dims === undefined ? dtype : `${dtype} [${dims.map((dim) => dim ?? '?').join(', ')}]`;
}

/** Operators that there is another number of, bodies and functions included. */
export function operatorChanges(before: Model, after: Model): OperatorChange[] {
  const [old, now] = [countsOf(before), countsOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((opType) => {
    const [one, other] = [old.get(opType) ?? 0, now.get(opType) ?? 0];
    return one === other ? [] : [{ opType, before: one, after: other }];
  });
}

function countsOf(model: Model): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { node } of model.nodes()) counts.set(nameOf(node), (counts.get(nameOf(node)) ?? 0) + 1);
  return counts;
}
