import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Source } from '../../bytes/source.ts';
import type { Model } from '../../ir/model.ts';
import { addSource } from '../../node/recipes/digest.ts';
import { modelOrigins } from '../../onnx/origin.ts';
import { type Inspection, inspect, type WeightFacts } from '../../passes/inspect/index.ts';
import { shapeOf } from '../inspect/lines.ts';
import type { ReportRole, ReportSide } from './data.ts';

/** Facts about a model file that do not require reading all of it. */
export type Outside = Omit<ReportSide, 'files'>;

/**
 * Describes one of the two models; no weight is read.
 * @param name - what the page calls it
 */
export async function outsideOf(model: Model, name: string): Promise<Outside> {
  const [found, header] = [await inspect(model), await model.header()];
  const bytes = bytesOf(model);
  const { irVersion, opsets, inputs, outputs, nodes, parameters } = found;
  const format = opsets.map(({ domain, version }) => `${domain === '' ? 'opset' : domain} ${version}`);
  return {
    ...{ name, bytes, nodes, parameters },
    format: [`IR version ${irVersion}`, ...format].join(', '),
    producer: `${header.producerName} ${header.producerVersion}`.trim(),
    inputs: inputs.map((one) => `${one.name}: ${shapeOf(one)}`),
    outputs: outputs.map((one) => `${one.name}: ${shapeOf(one)}`),
    roles: rolesOf(found, bytes),
  };
}

/** The files of a model, the model file first; data files by their names in the model. */
function sourcesOf(model: Model, name = ''): (readonly [name: string, source: Source])[] {
  const origin = modelOrigins.get(model);
  return origin === undefined ? [] : [[basename(name), origin.source], ...origin.dataFiles];
}

/** Bytes of all files of a model. */
export function bytesOf(model: Model): number {
  return sourcesOf(model).reduce((sum, [, { byteLength }]) => sum + byteLength, 0);
}

/** Computes the digests of a model's files by reading them from end to end. */
export async function hashed(
  model: Model,
  name: string,
  onRead: (bytes: number) => void,
): Promise<ReportSide['files']> {
  const files: ReportSide['files'][number][] = [];
  for (const [file, source] of sourcesOf(model, name)) {
    const hash = createHash('sha256');
    const update = (bytes: Uint8Array): void => {
      hash.update(bytes);
      onRead(bytes.byteLength);
    };
    await addSource({ update }, source);
    files.push({ name: file, bytes: source.byteLength, sha256: hash.digest('hex') });
  }
  return files;
}

const NAMES: Readonly<Record<Exclude<WeightFacts['role'], 'weight'>, string>> = {
  scale: 'scales',
  zero_point: 'zero points',
  constant: 'shapes, indices and single numbers',
};

/** What the bytes are for, the largest share first. */
function rolesOf({ weights }: Inspection, bytes: number): ReportRole[] {
  const roles = new Map<string, { tensors: number; bytes: number }>();
  for (const { role, dtype, scheme, byteLength } of weights) {
    // Codes are stored in bytes: `int4 in blocks of 32` counts as an int4 weight.
    const name = role === 'weight' ? `weights in ${scheme?.name.split(' ')[0] ?? dtype}` : NAMES[role];
    const { tensors, bytes: before } = roles.get(name) ?? { tensors: 0, bytes: 0 };
    roles.set(name, { tensors: tensors + 1, bytes: before + byteLength });
  }
  const held = weights.reduce((sum, one) => sum + one.byteLength, 0);
  roles.set('nodes, names and the rest', { tensors: 0, bytes: Math.max(0, bytes - held) });
  return [...roles].map(([role, one]) => ({ role, ...one })).sort((a, b) => b.bytes - a.bytes);
}
