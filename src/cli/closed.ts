import { readFileSync, readlinkSync } from 'node:fs';
import { CompressError } from '../errors.ts';

/** The lowest two bits of a descriptor's flags say how it may be used; this is reading and writing. */
const READ_WRITE = 2;

/**
 * Refuses to send a model where nobody gets it. Node puts /dev/null, to read and write, in the place of a standard
 * output that is closed (`>&-`), and all would seem well. A shell's `> /dev/null` is to write only, and is what
 * somebody wanted.
 * @throws CompressError `io` on Linux; elsewhere nothing tells one from the other
 */
export function refuseClosedOutput(): void {
  let flags: number;
  try {
    if (readlinkSync('/proc/self/fd/1') !== '/dev/null') return;
    flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/fdinfo/1', 'utf8'))?.[1] ?? '0', 8);
  } catch {
    return;
  }
  if ((flags & 3) !== READ_WRITE) return;
  throw new CompressError('io', '<stdout>', 'is closed, so the model has nowhere to go', {
    hint: 'Name a file with -o small.onnx, or redirect with > small.onnx.',
  });
}
