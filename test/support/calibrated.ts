/** Static quantization of small models like the command line, and their kernels in ONNX Runtime. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import {
  bytesSink,
  type PassReport,
  type QuantizeOptions,
  readModel,
  transform,
  writeModel,
} from '../../src/index.node.ts';
import { calibratedQuantize } from '../../src/node/recipes/calibrated.ts';
import { openInspected } from '../../src/node/runtime/kernels.ts';
import { STATIC_DEFAULTS } from '../../src/passes/quantize/static/index.ts';
import { folder } from './cli.ts';
import { npzOf } from './npz.ts';
import { feed, runModel } from './ort.ts';
import { sqnr } from './sqnr.ts';

/** Seeded, normally distributed numbers (a sum of twelve uniform ones). */
export function normal(count: number, seed: number, scale = 1): Float32Array {
  const generator = xoroshiro128plus(seed);
  const uniform = (): number => (generator.next() >>> 0) / 2 ** 32;
  return Float32Array.from({ length: count }, () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += uniform();
    return sum * scale;
  });
}

/** The result for a model. */
export interface Outcome {
  readonly report: PassReport | undefined;
  /** The number of nodes of each operator that ONNX Runtime runs. */
  readonly kernels: Readonly<Record<string, number>>;
  /** Weights that it dequantizes at every run. */
  readonly unfused: readonly string[];
  /** In dB, on other data than it was calibrated with. */
  readonly sqnr: number;
  readonly bytes: Uint8Array;
}

const ROWS = 16;

/** Calibrates a model on random rows, quantizes it, and runs both on other rows. */
export async function quantized(
  bytes: Uint8Array,
  inputs: Readonly<Record<string, readonly number[]>>,
  options: Partial<Parameters<typeof calibratedQuantize>[1]> = {},
  quantizing: QuantizeOptions = { minElements: 0 },
): Promise<Outcome> {
  const rows = (seed: number) =>
    Object.fromEntries(
      Object.entries(inputs).map(([name, shape]) => {
        const dims = [ROWS, ...shape];
        return [
          name,
          {
            dims,
            data: normal(
              dims.reduce((a, b) => a * b, 1),
              seed,
            ),
          },
        ] as const;
      }),
    );
  const path = folder();
  const data = join(path, 'data.npz');
  writeFileSync(data, npzOf(rows(1)));
  const model = await readModel(bytes);
  const settings = {
    ...({ data, overwrite: false, observer: 'minmax', biasCorrection: true, onProgress() {} } as const),
    ...STATIC_DEFAULTS,
    prefer: 'size' as const,
    ...options,
  };
  const [report] = await transform(model, calibratedQuantize(quantizing, settings));
  const sink = bytesSink();
  await writeModel(model, sink);
  const small = sink.bytes();
  const file = join(path, 'small.onnx');
  writeFileSync(file, small);
  const { session, kernels: found } = await openInspected(file);
  await session.release();
  const kernels = Object.fromEntries(found.kernels.map(({ op, nodes }) => [op, nodes]));
  const other = Object.entries(rows(2)).map(([name, one]) => [name, feed(one.dims, one.data)] as const);
  const feeds = Object.fromEntries(other);
  const quality = sqnr(await runModel(bytes, feeds), await runModel(small, feeds, 'all'));
  return { report, kernels, unfused: found.unfused.map((one) => one.weight), sqnr: quality, bytes: small };
}
