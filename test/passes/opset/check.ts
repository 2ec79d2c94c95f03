import { expect } from '@jest/globals';
import type { Tensor } from 'onnxruntime-node';
import { bytesSink, bytesSource, type Model, print, readModel, writeModel } from '../../../src/index.node.ts';
import { type RaiseResult, raiseOpset } from '../../../src/passes/opset/index.ts';
import { buildModel, type ModelSpec } from '../../support/build.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';

/** The model of bytes in memory. */
export function modelOf(bytes: Uint8Array): Promise<Model> {
  return readModel(bytesSource(bytes));
}

/** The bytes of the written model. */
export async function bytesOf(model: Model): Promise<Uint8Array> {
  const sink = bytesSink();
  await writeModel(model, sink);
  return sink.bytes();
}

/** Random feeds for the float32 inputs of a spec; dims that are names become 3. */
export function feedsFor(spec: ModelSpec): Record<string, Tensor> {
  const entries = Object.entries(spec.inputs ?? {}).filter(([name]) => spec.initializers?.[name] === undefined);
  return Object.fromEntries(
    entries.map(([name, { dims = [] }], index) => {
      const sizes = dims.map((dim) => (typeof dim === 'string' ? 3 : dim));
      return [name, feed(sizes, randomFloats(sizes, index + 1, -2, 2))];
    }),
  );
}

/** The raised model, for tests of its text. */
export interface Checked {
  readonly model: Model;
  readonly result: RaiseResult;
}

/**
 * Raises a model to each target, and expects ONNX Runtime to compute the same bits before and after, or the same within
 * `tolerance` if its kernels of the two opsets sum in another order.
 */
export async function expectSame(
  spec: ModelSpec,
  targets: readonly number[],
  feeds: Record<string, Tensor> = feedsFor(spec),
  tolerance = 0,
): Promise<Checked> {
  const bytes = buildModel(spec);
  const before = await runModel(bytes, feeds);
  let last: Checked | undefined;
  for (const target of targets) {
    const model = await modelOf(bytes);
    const result = await raiseOpset(model, target);
    expect(result).toMatchObject({ raised: true, to: target });
    const after = await runModel(await bytesOf(model), feeds);
    for (const [name, tensor] of Object.entries(before)) {
      expect([target, name, after[name]?.type, after[name]?.dims]).toEqual([target, name, tensor.type, tensor.dims]);
      if (tolerance === 0) expect(after[name]?.data).toEqual(tensor.data);
      else expect(largestDifference(after[name], tensor)).toBeLessThanOrEqual(tolerance);
    }
    last = { model, result };
  }
  if (last === undefined) throw new Error('no target');
  return last;
}

/** The largest absolute difference of two float tensors; NaN if only one of two elements is finite. */
export function largestDifference(a: Tensor | undefined, b: Tensor): number {
  const [left, right] = [a?.data as Float32Array, b.data as Float32Array];
  return right.reduce((most, one, index) => {
    const difference = Math.abs(one - (left[index] ?? Number.NaN));
    return Number.isNaN(difference) || difference > most ? difference : most;
  }, 0);
}

/** Expects a refusal with a reason (and the opset up to which the model runs), and no change in print() or bytes. */
export async function expectRefused(spec: ModelSpec, target: number, reason: string, runsUpTo?: number): Promise<void> {
  const bytes = buildModel(spec);
  const model = await modelOf(bytes);
  const text = print(model);
  expect(await raiseOpset(model, target)).toEqual({
    raised: false,
    reason,
    ...(runsUpTo === undefined ? {} : { runsUpTo }),
  });
  expect(print(model)).toBe(text);
  expect(Buffer.compare(await bytesOf(model), bytes)).toBe(0);
}
