/** How a matrix is stored in a few bits per number: consecutive numbers of a row share a scale. */
export interface BlockForm {
  readonly bits: 2 | 4 | 8;
  /** Number of consecutive inputs that share a scale; the last block of a row may be shorter. */
  readonly block: number;
  /** Whether every zero point is the middle of the codes, `2^(bits − 1)`. */
  readonly symmetric: boolean;
  /** Whether the scales are representable in float16. */
  readonly half: boolean;
}

/** The dims of a matrix; a row holds the weights of one output. */
export interface MatrixShape {
  readonly outputs: number;
  readonly inputs: number;
}

/** What the low-bit codes of a matrix represent: `real = (code − zero) · scale`. */
export interface Coded extends BlockForm, MatrixShape {
  /** `[outputs, blocks]`; they may be negative. */
  readonly scales: Float32Array;
  /** `[outputs, blocks]`, in the range of the codes; absent if symmetric. */
  readonly zeros: Uint8Array | undefined;
  /** Present if each scale is a small integer times the step of its output. */
  readonly multipliers?: Multipliers;
}

/** A low-bit matrix with one byte per code. */
export interface Codes extends Coded {
  /** `[outputs, inputs]`, row-major, each from 0 to `2^bits − 1`. */
  readonly codes: Uint8Array;
}

/** Which axis of packed codes comes first. */
export type Order = 'outputs' | 'inputs';

/** A low-bit matrix with codes packed as by `packCodes` of pack.ts. */
export interface PackedCodes extends Coded {
  readonly order: Order;
  readonly packed: Uint8Array;
}

/** `scale = multiplier · step`. */
export interface Multipliers {
  /** `[outputs]` */
  readonly steps: Float32Array;
  /** `[outputs, blocks]`, small enough that `(code − zero) · multiplier` fits int8. */
  readonly factors: Int8Array;
}

/** Number of blocks in a row. */
export function blocksIn({ inputs, block }: Pick<Coded, 'inputs' | 'block'>): number {
  return Math.ceil(inputs / block);
}

/** The zero point of symmetric codes. */
export function middleOf(bits: number): number {
  return 2 ** (bits - 1);
}

/** The matrix that codes represent: `[outputs, inputs]`. */
export function realsOfCodes(form: Codes): Float32Array {
  const { outputs, inputs, block, bits, codes, scales, zeros } = form;
  const out = new Float32Array(outputs * inputs);
  const blocks = blocksIn(form);
  const middle = middleOf(bits);
  for (let row = 0, at = 0; row < outputs; row++) {
    for (let index = 0; index < blocks; index++) {
      const scale = scales[row * blocks + index] as number;
      const zero = zeros === undefined ? middle : (zeros[row * blocks + index] as number);
      const end = row * inputs + Math.min(inputs, (index + 1) * block);
      for (; at < end; at++) out[at] = ((codes[at] as number) - zero) * scale;
    }
  }
  return out;
}
