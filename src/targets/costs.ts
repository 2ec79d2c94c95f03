import { type Fact, MEASURED } from './fact.ts';

/** What ONNX Runtime's CPU takes for a kernel on integers beside the float one. */
const BENCHMARK = 'benchmarks/ort-kernels.js';

export const dynamicProduct: Fact<{ readonly least: number; readonly widest: number }> = {
  says:
    'DynamicQuantizeMatMul of [M, K] · [K, N] takes less time than a float MatMul from √M · K · min(N, widest · K) = least on: ' +
    'it quantizes the activation first, and scales every column of the result.',
  ...{ source: BENCHMARK, version: MEASURED, value: { least: 65536, widest: 4 } },
};

/**
 * Whether a product with quantized activations is no slower than the float one.
 * @param rows - of the activation, as many as the file tells of; 1 is the least it can have
 * @param inputs - what is summed over
 */
export function dynamicPays(rows: number, inputs: number, outputs: number): boolean {
  const { least, widest } = dynamicProduct.value;
  return Math.sqrt(rows) * inputs * Math.min(outputs, widest * inputs) >= least;
}
