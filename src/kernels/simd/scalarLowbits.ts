import { type Block, takeCodes } from '../lowbits/block.ts';
import { middleOf } from '../lowbits/codes.ts';
import { FactorRow } from '../lowbits/factors.ts';
import { ScaleSearch } from '../lowbits/scales.ts';
import { halfOf } from '../lowbits/search.ts';
import { packBits } from '../packed.ts';
import { type Kernels, RESULT } from './kernels.ts';

type Bits = 2 | 4 | 8;

/** The low-bit kernels in TypeScript: the reference, over rows that are gathered one at a time. */
export function scalarLowbits(
  buffer: () => ArrayBuffer,
): Pick<Kernels, 'searchBlocks' | 'takeCodes' | 'chooseFactors'> {
  const floats = (at: number, length: number): Float32Array => new Float32Array(buffer(), at, length);
  const bytes = (at: number, length: number): Uint8Array => new Uint8Array(buffer(), at, length);
  const rowOf = (at: number, inputs: number, across: number): Float32Array => {
    const line = floats(at, (inputs - 1) * across + 1);
    return Float32Array.from({ length: inputs }, (_, index) => line[index * across] as number);
  };
  const blocksOf = (data: Float32Array, block: number, weights: number): Block[] =>
    Array.from({ length: Math.ceil(data.length / block) }, (_, index) => ({
      data,
      start: index * block,
      end: Math.min(data.length, (index + 1) * block),
      weights: weights === 0 ? undefined : floats(weights, data.length),
      first: index * block,
    }));

  const kernels: Pick<Kernels, 'searchBlocks' | 'takeCodes' | 'chooseFactors'> = {
    searchBlocks(data, outputs, inputs, along, across, block, ...rest) {
      const [bits, symmetric, steps, count, zeros, empty, weights, work, stride, scale, zero, half, out, ...lying] =
        rest;
      const candidates = { steps: Array.from(new Int32Array(buffer(), steps, count)), zeros: zeros as 1 | 2 };
      const search = new ScaleSearch(candidates, { bits: bits as Bits, symmetric }, false);
      const blocks = Math.ceil(inputs / block);
      const scales = floats(scale, (outputs - 1) * stride + blocks);
      for (let output = 0; output < outputs; output++) {
        let at = output * stride;
        for (const one of blocksOf(rowOf(data + 4 * output * along, inputs, across), block, weights)) {
          const grid = search.find(one);
          const found = grid?.scale ?? empty;
          scales[at] = half ? halfOf(found) : found;
          if (zero !== 0) bytes(zero, scales.length)[at] = grid?.zero ?? middleOf(bits);
          at++;
        }
      }
      if (out !== 0) {
        kernels.takeCodes(data, outputs, inputs, along, across, block, bits, stride, scale, zero, work, out, ...lying);
      }
    },

    takeCodes(data, outputs, inputs, along, across, block, bits, stride, scale, zero, _work, out, ...lying) {
      const [outAlong, outAcross, packed] = lying;
      let [signal, noise] = [0, 0];
      const blocks = Math.ceil(inputs / block);
      const total = (outputs - 1) * stride + blocks;
      for (let output = 0; output < outputs; output++) {
        let at = output * stride;
        const last = zero === 0 ? middleOf(bits) : (bytes(zero, total)[at + blocks - 1] as number);
        const codes = new Uint8Array(packed ? blocks * block : inputs).fill(last);
        const row = rowOf(data + 4 * output * along, inputs, across);
        for (const one of blocksOf(row, block, 0)) {
          const grid = {
            scale: floats(scale, total)[at] as number,
            zero: zero === 0 ? middleOf(bits) : (bytes(zero, total)[at] as number),
          };
          at++;
          takeCodes(one, grid, 2 ** bits - 1, codes);
          for (let index = one.start; index < one.end; index++) {
            const value = row[index] as number;
            signal += value ** 2;
            noise += (value - ((codes[index] as number) - grid.zero) * grid.scale) ** 2;
          }
        }
        const stored = packed && bits < 8 ? packBits(codes, bits as 2 | 4) : codes;
        const line = bytes(out + output * outAlong, (stored.length - 1) * outAcross + 1);
        for (const [index, byte] of stored.entries()) line[index * outAcross] = byte;
      }
      new Float64Array(buffer(), RESULT, 2).set([signal, noise]);
    },

    chooseFactors(data, outputs, inputs, along, across, block, bits, scale, ...rest) {
      const [fractions, count, weights, , step, factor] = rest;
      const blocks = Math.ceil(inputs / block);
      const row = new FactorRow(bits as Bits, blocks, Array.from(floats(fractions, count)));
      for (let output = 0; output < outputs; output++) {
        const own = floats(scale + 4 * output * blocks, blocks);
        const of = blocksOf(rowOf(data + 4 * output * along, inputs, across), block, weights);
        floats(step, outputs)[output] = row.choose(of, own);
        new Int8Array(buffer(), factor + output * blocks, blocks).set(row.factors);
      }
    },
  };
  return kernels;
}
