import { quantizeLinear } from '../linear.ts';
import { lossOf } from '../loss.ts';
import { rangeOf } from '../range.ts';
import { type Dequantize, type Kernels, type Quantize, RESULT } from './kernels.ts';
import { scalarColumns } from './scalarColumns.ts';
import { scalarConversions } from './scalarConvert.ts';
import { scalarLowbits } from './scalarLowbits.ts';
import { scalarMagnitudes } from './scalarMagnitude.ts';

/** The kernels in TypeScript, over the memory from `buffer`: the reference kernels, and a few that exist only here. */
export function scalarKernels(buffer: () => ArrayBuffer): Kernels {
  const floats = (at: number, length: number): Float32Array => new Float32Array(buffer(), at, length);
  const ints = (at: number, length: number): Int32Array =>
    at === 0 ? new Int32Array(length) : new Int32Array(buffer(), at, length);
  const bytes = (at: number, length: number): Uint8Array => new Uint8Array(buffer(), at, length);

  const range =
    (perColumn: boolean): Kernels['rangeRows'] =>
    (data, rows, columns, stride, min, max) => {
      let finite = 1;
      for (let row = 0; row < rows; row++) {
        const layout = perColumn ? columnwise(columns) : rowwise(columns);
        const found = rangeOf(floats(data + 4 * row * stride, columns), layout);
        const at = perColumn ? 0 : 4 * row;
        if (found === undefined) finite = 0;
        else widen(floats(min + at, layout.channels), floats(max + at, layout.channels), found);
      }
      return finite;
    };

  const quantizeRow = (
    perColumn: boolean,
    row: number,
    [data, , columns, stride, scale, zeroPoint, min, max]: Parameters<Quantize>,
  ): Uint8Array => {
    const layout = perColumn ? columnwise(columns) : rowwise(columns);
    const at = perColumn ? 0 : 4 * row;
    const line = floats(data + 4 * row * stride, columns);
    const params = {
      scale: floats(scale + at, layout.channels),
      zeroPoint: ints(zeroPoint === 0 ? 0 : zeroPoint + at, layout.channels),
      ...{ min, max },
    };
    const made = quantizeLinear(line, layout, params);
    const { signal, noise } = lossOf(line, layout, params, made);
    const sums = new Float64Array(buffer(), RESULT, 2);
    const before = row === 0 ? [0, 0] : sums;
    sums.set([(before[0] as number) + signal, (before[1] as number) + noise]);
    return made;
  };

  const quantize =
    (perColumn: boolean): Quantize =>
    (...args) => {
      const [, rows, columns, , , , , , out, outStride] = args;
      for (let row = 0; row < rows; row++) {
        bytes(out + row * outStride, columns).set(quantizeRow(perColumn, row, args));
      }
    };

  const quantizeTransposed: Quantize = (...args) => {
    const [, rows, columns, , , , , , out, outStride] = args;
    const all = new Uint8Array(buffer());
    for (let row = 0; row < rows; row++) {
      const q = quantizeRow(false, row, args);
      for (let column = 0; column < columns; column++) all[out + column * outStride + row] = q[column] as number;
    }
  };

  const dequantize =
    (perColumn: boolean): Dequantize =>
    (data, rows, columns, stride, scale, zeroPoint, signed, out, outStride) => {
      const scales = floats(scale, perColumn ? columns : rows);
      const zeroPoints = ints(zeroPoint, scales.length);
      for (let row = 0; row < rows; row++) {
        const q = bytes(data + row * stride, columns);
        const x = floats(out + 4 * row * outStride, columns);
        for (let column = 0; column < columns; column++) {
          const value = signed ? ((q[column] as number) << 24) >> 24 : (q[column] as number);
          const channel = perColumn ? column : row;
          x[column] = (value - (zeroPoints[channel] as number)) * (scales[channel] as number);
        }
      }
    };

  return {
    rangeRows: range(false),
    rangeColumns: range(true),
    quantizeRows: quantize(false),
    quantizeColumns: quantize(true),
    quantizeTransposed,
    dequantizeRows: dequantize(false),
    dequantizeColumns: dequantize(true),
    ...scalarMagnitudes(buffer),
    ...scalarConversions(buffer),
    ...scalarLowbits(buffer),
    ...scalarColumns(buffer),
  };
}

const rowwise = (columns: number) => ({ outer: 1, channels: 1, inner: columns }) as const;
const columnwise = (columns: number) => ({ outer: 1, channels: columns, inner: 1 }) as const;

function widen(min: Float32Array, max: Float32Array, found: { min: Float32Array; max: Float32Array }): void {
  for (let channel = 0; channel < min.length; channel++) {
    const [low, high] = [found.min[channel] as number, found.max[channel] as number];
    if (low < (min[channel] as number)) min[channel] = low;
    if (high > (max[channel] as number)) max[channel] = high;
  }
}
