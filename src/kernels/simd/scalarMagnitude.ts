import { within } from '../bracket.ts';
import { belowThreshold, countZeros, isZero } from '../magnitude.ts';
import { belowAndEqual } from '../order.ts';
import { HISTOGRAM, HISTOGRAM_BYTES, type Kernels, RESULT } from './kernels.ts';

/** Bits of float32's positive infinity: larger magnitudes are NaN. */
const INFINITY_BITS = 0x7f800000;

/** The magnitude kernels in TypeScript. */
export function scalarMagnitudes(
  buffer: () => ArrayBuffer,
): Pick<Kernels, 'countTop' | 'countLow' | 'countWithin' | 'magnitudes' | 'countBeside' | 'zeroBelow'> {
  const words = (at: number, length: number): Uint16Array => new Uint16Array(buffer(), at, 2 * length);
  const counters = (): Uint32Array => new Uint32Array(buffer(), HISTOGRAM, HISTOGRAM_BYTES / 4);
  const result = (...all: number[]): void => new Uint32Array(buffer(), RESULT, all.length).set(all);

  return {
    countTop(data, length) {
      const bits = new Int32Array(buffer(), data, length);
      const counts = counters();
      let nans = 0;
      for (let index = 0; index < length; index++) {
        const magnitude = (bits[index] as number) & 0x7fffffff;
        if (magnitude > INFINITY_BITS) nans++;
        // There are four copies of each counter; this uses the first.
        const at = (magnitude >>> 16) << 2;
        counts[at] = (counts[at] as number) + 1;
      }
      result(countZeros({ words: words(data, length), width: 2 }), nans);
    },

    countLow(data, length, top) {
      const halves = words(data, length);
      const counts = counters();
      for (let at = 0; at < halves.length; at += 2) {
        if (((halves[at + 1] as number) & 0x7fff) !== top) continue;
        const bin = halves[at] as number;
        counts[bin] = (counts[bin] as number) + 1;
      }
    },

    countWithin(data, length, low, high, out, room) {
      const found = within({ words: words(data, length), width: 2 }, { low, high }, room);
      new Uint32Array(buffer(), out, room).set(found.inside);
      result(found.below, found.zeros, found.nans, found.count);
    },

    magnitudes(data, length) {
      const bits = new Uint32Array(buffer(), data, length);
      for (let index = 0; index < length; index++) bits[index] = (bits[index] as number) & 0x7fffffff;
    },

    countBeside(data, length, bits) {
      const found = belowAndEqual(new Uint32Array(buffer(), data, length), bits);
      result(found.less, found.equal);
    },

    zeroBelow(data, length, threshold, ties) {
      const held = { words: words(data, length), width: 2 };
      const left = { key: [threshold >>> 16, threshold & 0xffff], ties };
      let lost = 0;
      belowThreshold(held, left, (index) => {
        if (!isZero(held, index)) lost++;
        held.words.fill(0, 2 * index, 2 * index + 2);
      });
      result(ties - left.ties, lost);
    },
  };
}
