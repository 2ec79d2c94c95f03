import { readFileSync, readlinkSync } from 'node:fs';
import { CompressError } from '../errors.ts';

/** The lowest two bits of a descriptor's flags are its access mode; this is read and write. */
const READ_WRITE = 2;

/**
 * Refuses to send a model to a closed standard output. If it is closed (`>&-`), Node opens /dev/null for reading and
 * writing in its place, so the run would seem to succeed. A shell's `> /dev/null` is write-only, and is intended.
 * @throws CompressError `io`, on Linux only: elsewhere the two cannot be told apart
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
