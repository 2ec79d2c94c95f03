import type { Keep } from '../../activations/results.ts';
import { scratchFile } from '../files/scratch.ts';

/** Fewer bytes stay in memory. */
const LEAST: number = 2 ** 20;

/** Puts weights in few bits into a temporary file until they are written. */
export function putAside(): Keep {
  const file = scratchFile();
  return async (bytes) => (bytes.byteLength < LEAST ? async () => bytes : file.keep(bytes));
}
