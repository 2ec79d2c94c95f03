import { describe, expect, test } from '@jest/globals';
import {
  bytesSink,
  type CalibratedOptions,
  calibratedQuantize,
  type Pass,
  type QuantizeOptions,
  quantize,
  readModel,
  transform,
  writeModel,
} from '../../../src/index.node.ts';
import { openData } from '../../../src/node/data/open.ts';
import { fixture } from '../../support/cli.ts';
import { keptOnData } from '../../support/lowBits.ts';

const data = fixture('digits-vit-calib.npz');

/** SQNR of the outputs in dB on data not used for calibration, and bytes of the file. */
async function outcome(pass: Pass): Promise<{ readonly sqnr: number; readonly bytes: number }> {
  const path = fixture('digits-vit.onnx');
  await using model = await readModel(path);
  const { fedInputs } = model.graph;
  await transform(model, pass);
  const sink = bytesSink();
  await writeModel(model, sink, { data: 'embed' });
  const rows = await openData(fixture('digits-vit-test.npz'), fedInputs, { samples: 64, batch: 64 });
  return { sqnr: await keptOnData(path, sink.bytes(), rows), bytes: sink.bytes().byteLength };
}

describe('digits-vit in low bits', () => {
  test.each<readonly [QuantizeOptions, number, number]>([
    [{ bits: 4 }, 25, 33],
    [{ bits: 4, form: 'nbits', asymmetric: true }, 27, 34],
    [{ bits: 8, method: 'mse' }, 45, 0],
    [{ bits: 2, headBits: 8 }, 5, 18],
  ])('%j: keeps at least %d dB without data, and %d with GPTQ', async (options, plain, refined) => {
    const without = await outcome(quantize(options));
    expect(without.sqnr).toBeGreaterThan(plain);
    if (refined === 0) return;
    const found = await outcome(calibratedQuantize(options, { data }));
    expect(found.sqnr).toBeGreaterThan(refined);
    expect(Math.abs(found.bytes / without.bytes - 1)).toBeLessThan(0.02);
  });

  test('AWQ keeps more than without data, and needs data', async () => {
    const found = await outcome(calibratedQuantize({ bits: 4, method: 'awq' }, { data }));
    expect(found.sqnr).toBeGreaterThan(27);
    expect(() => quantize({ bits: 4, method: 'awq' })).toThrow('awq needs activations');
  });

  test('8 bits by GPTQ keep more than without data', async () => {
    const plain = await outcome(quantize());
    const told: string[] = [];
    const onLayer = (done: number, total: number): number => told.push(`${done}/${total}`);
    const refined = await outcome(calibratedQuantize({ bits: 8, method: 'gptq' }, { data, onLayer }));
    expect(told.length).toBeGreaterThan(1);
    expect(told).toEqual(told.map((_, index) => `${index + 1}/${told.length}`));
    expect(refined.sqnr).toBeGreaterThan(plain.sqnr + 2);
  });

  test('8 bits for WebGPU are MatMulNBits with data too, unless options ask for integer activations', async () => {
    const written = async (given: CalibratedOptions): Promise<ReadonlySet<string>> => {
      await using model = await readModel(fixture('digits-vit.onnx'));
      await transform(model, calibratedQuantize({ target: 'webgpu' }, { data, ...given }));
      return new Set(model.graph.nodes.map((node) => node.opType));
    };
    const forWebgpu = await written({ samples: 8 });
    expect(forWebgpu).toContain('MatMulNBits');
    for (const one of ['QuantizeLinear', 'DynamicQuantizeLinear', 'DequantizeLinear']) {
      expect(forWebgpu).not.toContain(one);
    }
    expect(await written({ samples: 8, activations: 'uint8' })).toContain('DynamicQuantizeLinear');
  });
});
