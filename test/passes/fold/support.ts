/** Folds models, and checks that they compute the same. */
import { expect } from '@jest/globals';
import type { Tensor } from 'onnxruntime-node';
import { type PassReport, print } from '../../../src/index.node.ts';
import { type FoldOptions, fold } from '../../../src/passes/fold/index.ts';
import { buildModel, f32, type ModelSpec, type NodeSpec, type TensorSpec } from '../../support/build.ts';
import { pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { numbers } from '../../support/sqnr.ts';

/** The largest allowed difference, relative to the largest value. */
const TOLERANCE = 1e-5;

/** A float32 weight of random elements. */
export const weight = (dims: readonly number[], seed = 1, low = -1, high = 1): TensorSpec =>
  f32(dims, randomFloats(dims, seed, low, high));

/** The parameters of a BatchNormalization over `channels`, by the names `g be mu va`, with a prefix. */
export function normalization(channels: number, prefix = '', seed = 1): Record<string, TensorSpec> {
  return {
    [`${prefix}g`]: weight([channels], seed, -2, 2),
    [`${prefix}be`]: weight([channels], seed + 1),
    [`${prefix}mu`]: weight([channels], seed + 2),
    [`${prefix}va`]: weight([channels], seed + 3, 0.1, 3),
  };
}

/** A node with the parameters of {@link normalization}. */
export function norm(input: string, output: string, prefix = '', attributes: NodeSpec['attributes'] = {}): NodeSpec {
  const parameters = ['g', 'be', 'mu', 'va'].map((one) => `${prefix}${one}`);
  return { op: 'BatchNormalization', in: [input, ...parameters], out: [output], attributes };
}

/** A model of `x` to `y`, float32 both. */
export function model(
  nodes: readonly NodeSpec[],
  initializers: Readonly<Record<string, TensorSpec>>,
  dims: readonly (number | string)[] = [2, 3],
  opset = 17,
): ModelSpec {
  return { opset, inputs: { x: f32(dims) }, outputs: { y: f32() }, nodes, initializers };
}

/** Random feeds for the float32 inputs of a spec; dims that are names become 2. */
export function feedsFor(spec: ModelSpec): Record<string, Tensor> {
  const free = Object.entries(spec.inputs ?? {}).filter(([name]) => spec.initializers?.[name] === undefined);
  return Object.fromEntries(
    free.map(([name, { dims = [] }], index) => {
      const sizes = dims.map((dim) => (typeof dim === 'string' ? 2 : dim));
      return [name, feed(sizes, randomFloats(sizes, index + 9, -4, 4))];
    }),
  );
}

/** Expects the same outputs: names, types, shapes, and values within the tolerance. */
export function expectClose(before: Record<string, Tensor>, after: Record<string, Tensor>, tolerance?: number): void {
  expect(Object.keys(after)).toEqual(Object.keys(before));
  for (const [name, tensor] of Object.entries(before)) {
    const found = after[name] as Tensor;
    expect([name, found.type, found.dims]).toEqual([name, tensor.type, tensor.dims]);
    const [old, now] = [numbers(tensor), numbers(found)];
    const largest = old.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
    const worst = old.reduce((most, one, index) => {
      const difference = Math.abs(one - (now[index] as number));
      return Number.isNaN(difference) || difference > most ? difference : most;
    }, 0);
    // A model that gives only zeros would agree with anything.
    expect(largest).toBeGreaterThan(0);
    expect(worst / largest).toBeLessThanOrEqual(tolerance ?? TOLERANCE);
  }
}

/** The result of fold. */
export interface Folded {
  readonly report: PassReport;
  readonly bytes: Uint8Array;
  /** The lines of print() between the braces. */
  readonly lines: readonly string[];
}

/** Folds a spec; expects the golden lines, the same results in ONNX Runtime, and that folding again changes nothing. */
export async function expectFolded(
  spec: ModelSpec,
  golden: string,
  options: FoldOptions & { readonly feeds?: Record<string, Tensor>; readonly tolerance?: number } = {},
): Promise<Folded> {
  const { feeds = feedsFor(spec), tolerance, ...rest } = options;
  const source = buildModel(spec);
  const { model: folded, report, bytes } = await pass(source, fold(rest));
  const lines = linesOf(print(folded));
  expect(lines).toEqual(linesOf(`\n\n${golden.trim()}\n}\n`));
  expectClose(await runModel(source, feeds), await runModel(bytes, feeds), tolerance);
  const again = await pass(bytes, fold(rest));
  expect(Buffer.compare(again.bytes, bytes)).toBe(0);
  expect(again.report.changes).toEqual([]);
  expect(again.report.notes[0]).toBe('nothing to fold');
  expect(again.report.facts).toBeUndefined();
  return { report, bytes, lines };
}

/** Expects that fold does not change a byte of the file. */
export async function expectLeft(spec: ModelSpec, options: FoldOptions = {}): Promise<PassReport> {
  const source = buildModel(spec);
  const { bytes, report } = await pass(source, fold(options));
  expect(Buffer.compare(bytes, source)).toBe(0);
  expect(report.changes).toEqual([]);
  expect(report.notes[0]).toBe('nothing to fold');
  return report;
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .slice(2, -2)
    .map((line) => line.trim());
}
