import { roundHalfEven } from '../linear.ts';
import type { ColumnKernels } from './columns.ts';

const { fround } = Math;

/** The column kernels in TypeScript: the reference, row by row. */
export function scalarColumns(buffer: () => ArrayBuffer): ColumnKernels {
  const floats = (at: number, length: number): Float32Array => new Float32Array(buffer(), at, length);
  const bytes = (at: number, length: number): Uint8Array => new Uint8Array(buffer(), at, length);

  return {
    eliminate(data, errors, mask, rows, width, bounds, groups, keep, factor, _work) {
      const factors = floats(factor, width * width);
      const ends = new Int32Array(buffer(), bounds, groups + 1);
      const [all, wrong] = [floats(data, rows * width), floats(errors, rows * width)];
      for (let row = 0; row < rows; row++) {
        const values = lineOf(all, row, rows);
        const lost = new Float32Array(width);
        const gone = lineOf(bytes(mask, rows * width), row, rows);
        for (let group = 0; group < groups; group++) {
          const [from, to] = ends.subarray(group, group + 2) as unknown as [number, number];
          const first = keep < 0 ? 0 : from;
          if (keep >= 0) {
            for (let column = from; column < to; column++) {
              values[column] = settled(values[column] as number, lost, factors, column * width, 0, from);
            }
            const scores = values.slice(from, to).map((value, index) => {
              const scaled = fround(value / (factors[(from + index) * (width + 1)] as number));
              return gone[from + index] === 1 ? -1 : scaled * scaled;
            });
            gone.set(chosen(scores, keep), from);
          }
          for (let column = from; column < to; column++) {
            const value = settled(values[column] as number, lost, factors, column * width, first, column);
            const out = gone[column] === 1;
            values[column] = out ? 0 : value;
            lost[column] = out ? value / (factors[column * (width + 1)] as number) : 0;
          }
        }
        putLine(values, all, row, rows);
        putLine(lost, wrong, row, rows);
      }
    },

    sweepCodes(data, errors, scale, zero, code, rows, width, bits, factor, _work) {
      const factors = floats(factor, width * width);
      const [all, wrong] = [floats(data, rows * width), floats(errors, rows * width)];
      for (let row = 0; row < rows; row++) {
        const [values, scales] = [lineOf(all, row, rows), lineOf(floats(scale, rows * width), row, rows)];
        const zeros = lineOf(bytes(zero, rows * width), row, rows);
        const [lost, codes] = [new Float32Array(width), new Uint8Array(width)];
        for (let column = 0; column < width; column++) {
          const value = settled(values[column] as number, lost, factors, column * width, 0, column);
          const [s, z] = [scales[column] as number, zeros[column] as number];
          const steps = nearest(value, s, z, bits);
          const error = fround(value - fround(steps * s));
          values[column] = value;
          lost[column] = error / (factors[column * (width + 1)] as number);
          codes[column] = steps + z;
        }
        putLine(values, all, row, rows);
        putLine(lost, wrong, row, rows);
        putLine(codes, bytes(code, rows * width), row, rows);
      }
    },

    descendCodes(pull, changes, scale, zero, code, rows, width, bits, square, _work) {
      const factors = floats(square, width * width);
      let count = 0;
      for (let row = 0; row < rows; row++) {
        const [pulls, scales] = [pull, scale].map((at) => lineOf(floats(at, rows * width), row, rows)) as Pair;
        const [zeros, codes] = [zero, code].map((at) => lineOf(bytes(at, rows * width), row, rows)) as Bytes;
        const lost = new Float32Array(width);
        for (let column = 0; column < width; column++) {
          const asked = settled(pulls[column] as number, lost, factors, column * width, 0, column);
          const [s, z] = [scales[column] as number, zeros[column] as number];
          const before = (codes[column] as number) - z;
          const more = fround(asked / (factors[column * (width + 1)] as number));
          const steps = nearest(fround(fround(before * s) + more), s, z, bits);
          lost[column] = (steps - before) * s;
          codes[column] = steps + z;
          if (steps !== before) count++;
        }
        putLine(lost, floats(changes, rows * width), row, rows);
        putLine(codes, bytes(code, rows * width), row, rows);
      }
      return count;
    },
  };
}

type Pair = [Float32Array, Float32Array];
type Bytes = [Uint8Array, Uint8Array];

/** A row of `[width, rows]`: one element of each column. */
function lineOf<A extends Float32Array | Uint8Array>(matrix: A, row: number, rows: number): A {
  return matrix.filter((_, at) => at % rows === row) as A;
}

function putLine(line: Float32Array | Uint8Array, matrix: Float32Array | Uint8Array, row: number, rows: number): void {
  line.forEach((value, column) => {
    matrix[column * rows + row] = value;
  });
}

/** 1 for all scores but the `keep` largest; among equal ones the first is chosen. */
function chosen(scores: Float32Array, keep: number): number[] {
  const most = scores.length - keep;
  return Array.from(scores, (own, one) => {
    const before = scores.reduce((sum, score, other) => sum + Number(other < one ? score <= own : score < own), 0);
    return before < most ? 1 : 0;
  });
}

/** A value minus the errors of the columns `from … to`, each times its factor. */
function settled(
  value: number,
  errors: Float32Array,
  factors: Float32Array,
  line: number,
  from: number,
  to: number,
): number {
  let left = value;
  for (let column = from; column < to; column++) {
    left = fround(left - fround((errors[column] as number) * (factors[line + column] as number)));
  }
  return left;
}

/** The nearest code minus the zero point; 0 if the scale is 0. */
function nearest(value: number, scale: number, zero: number, bits: number): number {
  if (scale === 0) return 0;
  const steps = fround(value / scale);
  return roundHalfEven(Math.min(2 ** bits - 1 - zero, Math.max(-zero, steps)));
}
