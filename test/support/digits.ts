/** The digits models: pruned with their calibration data, judged on their test data. */
import { fileURLToPath } from 'node:url';
import {
  type Activations,
  openActivations,
  openData,
  type Pass,
  type PassReport,
  readModel,
} from '../../src/index.node.ts';
import { bytesOf, weightFloats } from './model.ts';
import { readNpz } from './npz.ts';
import { runModel } from './ort.ts';

/** Path of a file in fixtures/. */
export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
}

/** The result of a pass. */
export interface Pruned {
  readonly bytes: Uint8Array;
  readonly report: PassReport;
  /** The changed weights by name. */
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** Runs a pass that uses the activations of the model on its calibration data. */
export async function prunedBy(name: string, make: (activations: Activations) => Pass): Promise<Pruned> {
  const model = await readModel(fixturePath(`${name}.onnx`));
  const data = await openData(fixturePath(`${name}-calib.npz`), model.graph.inputs);
  const activations = openActivations(data);
  try {
    const report = await make(activations).run(model);
    const weights = new Map<string, Float32Array>();
    for (const { weight } of report.changes) weights.set(weight, await weightFloats(model, weight));
    return { bytes: await bytesOf(model), report, weights };
  } finally {
    await activations.close();
    await model.close();
  }
}

/** The accuracy of a model on its test data. */
export async function accuracyOf(name: string, bytes: Uint8Array): Promise<number> {
  const { __labels__: labels, ...arrays } = await readNpz(fixturePath(`${name}-test.npz`));
  const results = await runModel(bytes, arrays);
  const [logits] = Object.values(results);
  if (logits === undefined || labels === undefined) throw new Error(`${name}: no logits or labels`);
  const classes = logits.dims[1] as number;
  const values = logits.data as Float32Array;
  let right = 0;
  Array.from(labels.data as ArrayLike<number | bigint>).forEach((label, row) => {
    const scores = values.subarray(row * classes, (row + 1) * classes);
    if (scores.indexOf(Math.max(...scores)) === Number(label)) right++;
  });
  return right / (logits.dims[0] as number);
}
