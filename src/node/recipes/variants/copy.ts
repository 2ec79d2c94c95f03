import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CompressError, ioError } from '../../../errors.ts';
import { writeParts } from '../../../onnx/parts.ts';
import { Segment } from '../../../onnx/segment.ts';
import { isDataFile } from '../../../passes/variants/names.ts';
import { fileSink } from '../../files/sink.ts';
import { fileSource } from '../../files/source.ts';

/** Weights of other programs, which transformers.js does not read. */
const OTHER_WEIGHTS = /\.(onnx|safetensors|bin|pt|pth|ckpt|h5|msgpack|gguf|tflite)$/i;
/** Files that are merged, not copied. */
export const MERGED = ['config.json', 'README.md'] as const;

/**
 * Copies what belongs to a model beside its weights: tokenizers, settings. Folders and hidden files stay.
 * @returns the names of what was copied; what is there already, the same, is not
 * @throws CompressError `exists`, `io`
 */
export async function copyOthers(from: string, to: string, overwrite: boolean): Promise<string[]> {
  const entries = await readdir(from, { withFileTypes: true }).catch((cause: unknown) => {
    throw ioError(from, cause);
  });
  const names = entries.filter((one) => one.isFile() || one.isSymbolicLink()).map((one) => one.name);
  const copied: string[] = [];
  for (const name of names.sort()) {
    const merged = (MERGED as readonly string[]).includes(name);
    if (merged || name.startsWith('.') || OTHER_WEIGHTS.test(name) || isDataFile(name)) continue;
    if (!(await stat(join(from, name))).isFile()) continue;
    if (await copyFile(join(from, name), join(to, name), overwrite)) copied.push(name);
  }
  return copied;
}

/** Copies a file; one that is there and the same stays. @returns whether it was copied */
async function copyFile(from: string, to: string, overwrite: boolean): Promise<boolean> {
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

/** Bytes that are compared at a time. */
const PIECE = 1 << 20;

async function holds(path: string, source: Awaited<ReturnType<typeof fileSource>>): Promise<boolean> {
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
