import { createHash } from 'node:crypto';
import type { Results } from '../../activations/results.ts';
import type { Model } from '../../ir/model.ts';
import { modelOrigins } from '../../onnx/origin.ts';
import { writeParts } from '../../onnx/parts.ts';
import { planModel } from '../../onnx/plan.ts';
import type { DataSet } from '../data/types.ts';
import type { Identity } from '../files/results.ts';
import { ownVersion, runtimeVersion } from '../version.ts';
import { addSource, type Hash } from './digest.ts';

/**
 * Identifies results of layers: for the same model, data, options and versions they are the same bytes.
 * @param model - before the pass
 * @param options - all options of the pass
 */
export async function identityOf(model: Model, data: DataSet, options: object): Promise<Identity> {
  return {
    version: `onnx-compress ${ownVersion()}, onnxruntime-node ${runtimeVersion() ?? ''}, ${process.arch}`,
    options: await digest(async (hash) => hash.update(Buffer.from(JSON.stringify(options, patternsAsText)))),
    model: await digest((hash) => addModel(hash, model)),
    data: await digest((hash) => addData(hash, data)),
  };
}

/** Notes of the report about reused results. */
export function earlierNotes(results: Results | undefined): string[] {
  const count = results?.earlier ?? 0;
  if (count === 0) return [];
  return [`resumed: the results of ${count === 1 ? '1 layer' : `${count} layers`} come from an interrupted run`];
}

async function digest(add: (hash: Hash) => Promise<unknown>): Promise<string> {
  const hash = createHash('sha256');
  await add(hash);
  return hash.digest('hex');
}

function patternsAsText(_: string, value: unknown): unknown {
  return value instanceof RegExp ? String(value) : value;
}

/** Adds the model as it would be written now. */
async function addModel(hash: Hash, model: Model): Promise<void> {
  const plan = planModel(model, { mode: 'auto', dataName: 'model.onnx.data' });
  const sink = {
    async write(bytes: Uint8Array): Promise<void> {
      hash.update(bytes);
    },
  };
  for (const { parts } of [plan, ...plan.data]) await writeParts(parts, sink);
  if (!plan.keepsDataFiles) return;
  for (const source of modelOrigins.get(model)?.dataFiles.values() ?? []) await addSource(hash, source);
}

async function addData(hash: Hash, data: DataSet): Promise<void> {
  for await (const { feeds } of data.samples()) {
    for (const [name, { dtype, dims, data: values }] of Object.entries(feeds)) {
      hash.update(Buffer.from(`${JSON.stringify([name, dtype, dims])}\n`));
      hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
  }
}
