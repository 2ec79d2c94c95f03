import type { Keep } from '../../passes/quantize/low/refined.ts';
import { scratchFile } from '../files/scratch.ts';

/** Puts weights in few bits into a temporary file until they are written. */
export function putAside(): Keep {
  const file = scratchFile();
  return (bytes) => file.keep(bytes);
}
