import type { Pending } from './reading.ts';

/** One field of a message; its payload is not read yet. */
export interface Field {
  readonly number: number;
  readonly wireType: number;
  /** Where its tag begins. */
  readonly tagStart: number;
  /** Where its payload begins and ends (for a varint: the varint itself; for a group: its end marker included). */
  readonly start: number;
  readonly end: number;
  /** The lower and upper 32 bits of a varint or fixed32/64, unsigned; 0 for the others. */
  readonly low: number;
  readonly high: number;
}

/** Called for each field. */
export type Visit = (field: Field) => Pending;
/** Facts about a field that continues past the end of the file. */
export const CUT_OFF = {
  kind: 'cut_off',
  hint: 'The file is incomplete: was a download or copy interrupted?',
} as const;
/** The longest tag plus length: two varints of ten bytes. */
export const HEADER = 20;
/** Bytes to read after a jump. Each further read doubles this, up to MAX_AHEAD. */
export const MIN_AHEAD = 512;
export const MAX_AHEAD: number = 1 << 16;
