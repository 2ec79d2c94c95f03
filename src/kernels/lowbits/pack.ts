import { blocksIn, type Codes, middleOf } from './codes.ts';

/** Which axis of a packed matrix comes first. */
export type Order = 'outputs' | 'inputs';

/**
 * Codes as bytes, neighbours along the inputs in one byte, the first in its low bits. Rows are filled up to whole
 * blocks with codes that stand for 0.
 * @returns `[outputs, blocks, block · bits / 8]`, or `[blocks, block · bits / 8, outputs]` with the inputs first
 */
export function packCodes(form: Codes, order: Order): Uint8Array {
  const { outputs, inputs, block, bits, codes, zeros } = form;
  const blocks = blocksIn(form);
  const perByte = 8 / bits;
  const bytesPerRow = (blocks * block) / perByte;
  const out = new Uint8Array(outputs * bytesPerRow);
  if (order === 'outputs' && inputs === blocks * block) {
    if (bits === 8) return codes.slice();
    if (bits === 4) {
      for (let to = 0; to < out.length; to++) {
        out[to] = (codes[2 * to] as number) | ((codes[2 * to + 1] as number) << 4);
      }
      return out;
    }
  }
  const step = order === 'outputs' ? 1 : outputs;
  const middle = middleOf(bits);
  for (let row = 0; row < outputs; row++) {
    const base = row * inputs;
    const last = zeros === undefined ? middle : (zeros[(row + 1) * blocks - 1] as number);
    let to = order === 'outputs' ? row * bytesPerRow : row;
    for (let first = 0; first < blocks * block; first += perByte, to += step) {
      let byte = 0;
      for (let place = 0; place < perByte; place++) {
        const column = first + place;
        const code = column < inputs ? (codes[base + column] as number) : last;
        byte |= code << (place * bits);
      }
      out[to] = byte;
    }
  }
  return out;
}

/** Numbers of blocks, `[outputs, blocks]`, as `[blocks, outputs]`. */
export function blocksFirst<T extends Float32Array | Uint8Array | Int8Array>(of: T, outputs: number): T {
  const blocks = of.length / Math.max(1, outputs);
  const out = of.slice() as T;
  for (let row = 0; row < outputs; row++) {
    for (let block = 0; block < blocks; block++) out[block * outputs + row] = of[row * blocks + block] as number;
  }
  return out;
}

/** Codes as `[inputs, outputs]`, one byte each, less `zero`: two's complement where that is negative. */
export function inputsFirst({ outputs, inputs, codes }: Codes, zero: number): Uint8Array {
  const out = new Uint8Array(codes.length);
  for (let row = 0, at = 0; row < outputs; row++) {
    for (let column = 0; column < inputs; column++, at++) {
      out[column * outputs + row] = (codes[at] as number) - zero;
    }
  }
  return out;
}

/** Zero points `[outputs, blocks]` in `bits` bits each, those of an output beginning with a byte of their own. */
export function packZeros(zeros: Uint8Array, outputs: number, bits: number): Uint8Array {
  const blocks = zeros.length / Math.max(1, outputs);
  const perByte = 8 / bits;
  const bytes = Math.ceil(blocks / perByte);
  const out = new Uint8Array(outputs * bytes);
  for (let row = 0; row < outputs; row++) {
    for (let block = 0; block < blocks; block++) {
      const at = row * bytes + Math.floor(block / perByte);
      out[at] = (out[at] as number) | ((zeros[row * blocks + block] as number) << ((block % perByte) * bits));
    }
  }
  return out;
}
