/** Models for tests of float16 and int16. */
import {
  bytesSink,
  type Float16Options,
  float16,
  type Model,
  type PassReport,
  readModel,
  transform,
  writeModel,
} from '../../src/index.node.ts';
import { buildModel, f32, type ModelSpec } from './build.ts';

export interface Made {
  readonly model: Model;
  readonly report: PassReport;
  readonly bytes: Uint8Array;
}

/** A model in 16 bits. */
export async function inSixteenBits(source: Uint8Array | string, options: Float16Options): Promise<Made> {
  const model = await readModel(source);
  const [report] = await transform(model, float16(options));
  const sink = bytesSink();
  await writeModel(model, sink);
  return { model, report: report as PassReport, bytes: sink.bytes() };
}

/** Numbers that 16 bits must round: thirds of integers, from −2 to 2. */
export const thirds = (count: number, scale = 1): number[] =>
  Array.from({ length: count }, (_, at) => (scale * (((at * 7) % 13) - 6)) / 3);

/** `y = x · w` for `x` float32[2,16] and `w` float32[16,8], with overrides. */
export const product = (weights: readonly number[], more: Partial<ModelSpec> = {}): Uint8Array =>
  buildModel({
    opset: 17,
    inputs: { x: f32([2, 16]) },
    outputs: { y: f32([2, 8]) },
    initializers: { w: f32([16, 8], weights) },
    nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'], name: 'product' }],
    ...more,
  });
