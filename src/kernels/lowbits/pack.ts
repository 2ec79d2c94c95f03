import { packBits } from '../packed.ts';
import { blocksIn, type Codes, middleOf, type Order, type PackedCodes } from './codes.ts';

/**
 * Packs codes into bytes: consecutive inputs share a byte, the first in its low bits. Rows are padded to whole blocks
 * with codes that stand for 0.
 * @returns `[outputs, blocks, block · bits / 8]`, or `[blocks, block · bits / 8, outputs]` with the inputs first
 */
export function packCodes(form: Codes, order: Order): Uint8Array {
  const { outputs, inputs, block, bits, codes, zeros } = form;
  const blocks = blocksIn(form);
  const length = blocks * block;
  const [along, across] = order === 'outputs' ? [length, 1] : [1, outputs];
  const laid = new Uint8Array(outputs * length);
  for (let row = 0, from = 0; row < outputs; row++) {
    let to = row * along;
    for (const end = from + inputs; from < end; from++, to += across) laid[to] = codes[from] as number;
  }
  fillUp(laid, { outputs, inputs, length }, order, (row) => zeros?.[(row + 1) * blocks - 1] ?? middleOf(bits));
  return bits === 8 ? laid : packBits(laid, bits, order === 'outputs' ? 1 : outputs);
}

/** Pads after the inputs with codes that stand for 0. @param length - of whole blocks */
export function fillUp(
  laid: Uint8Array,
  { outputs, inputs, length }: { readonly outputs: number; readonly inputs: number; readonly length: number },
  order: Order,
  zeroOf: (output: number) => number,
): void {
  if (length === inputs) return;
  for (let row = 0; row < outputs; row++) {
    const zero = zeroOf(row);
    if (order === 'outputs') laid.fill(zero, row * length + inputs, (row + 1) * length);
    else for (let at = inputs; at < length; at++) laid[at * outputs + row] = zero;
  }
}

/** Packed codes; packs them if necessary. @throws RangeError for codes that are packed in another order */
export function packedIn(form: Codes | PackedCodes, order: Order): Uint8Array {
  if (!('packed' in form)) return packCodes(form, order);
  if (form.order !== order) throw new RangeError(`codes are packed with the ${form.order} first, not the ${order}`);
  return form.packed;
}

/** Codes that are not packed. @throws RangeError if they are */
export function plain(form: Codes | PackedCodes): Codes {
  if ('packed' in form) throw new RangeError('codes are packed');
  return form;
}

/** Transposes values per block from `[outputs, blocks]` to `[blocks, outputs]`. */
export function blocksFirst<T extends Float32Array | Uint8Array | Int8Array>(of: T, outputs: number): T {
  const blocks = of.length / Math.max(1, outputs);
  const out = of.slice() as T;
  for (let row = 0; row < outputs; row++) {
    for (let block = 0; block < blocks; block++) out[block * outputs + row] = of[row * blocks + block] as number;
  }
  return out;
}

/** Codes as `[inputs, outputs]`, one byte each, minus `zero`: two's complement if negative. */
export function inputsFirst({ outputs, inputs, codes }: Codes, zero: number): Uint8Array {
  const out = new Uint8Array(codes.length);
  for (let row = 0, at = 0; row < outputs; row++) {
    for (let column = 0; column < inputs; column++, at++) {
      out[column * outputs + row] = (codes[at] as number) - zero;
    }
  }
  return out;
}

/** Packs zero points `[outputs, blocks]` into `bits` bits each; every output starts a new byte. */
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
