import type { Source } from '../../bytes/source.ts';
import { CompressError } from '../../errors.ts';
import { writeParts } from '../../onnx/parts.ts';
import { Segment } from '../../onnx/segment.ts';
import { fileSink } from './sink.ts';
import { fileSource, isAt } from './source.ts';

/**
 * Copies a file; an existing identical file is kept.
 * @returns whether it was copied
 * @throws CompressError `exists`, `io`
 */
export async function copyFile(from: string, to: string, overwrite: boolean): Promise<boolean> {
  const source = await fileSource(from);
  try {
    if (await holds(to, source)) return false;
    const sink = await fileSink(to, { overwrite });
    try {
      await writeParts([new Segment(source, 0, source.byteLength)], sink);
      await sink.finish();
    } catch (cause) {
      await sink.abort();
      throw cause;
    }
    return true;
  } finally {
    await source.close();
  }
}

/** Bytes compared at a time. */
const PIECE: number = 1 << 20;

/** Whether the file at a path has the same bytes as a source. */
export async function holds(path: string, source: Source): Promise<boolean> {
  if (await isAt(source, path)) return true;
  const other = await fileSource(path).catch((cause: unknown) => {
    if (cause instanceof CompressError) return undefined;
    throw cause;
  });
  if (other === undefined) return false;
  try {
    if (other.byteLength !== source.byteLength) return false;
    for (let at = 0; at < source.byteLength; at += PIECE) {
      const end = Math.min(at + PIECE, source.byteLength);
      const [a, b] = await Promise.all([source.read(at, end), other.read(at, end)]);
      if (Buffer.compare(a, b) !== 0) return false;
    }
    return true;
  } finally {
    await other.close();
  }
}
