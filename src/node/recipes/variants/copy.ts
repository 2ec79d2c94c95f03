import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CompressError, ioError } from '../../../errors.ts';
import { writeParts } from '../../../onnx/parts.ts';
import { Segment } from '../../../onnx/segment.ts';
import { isDataFile } from '../../../passes/variants/names.ts';
import { fileSink } from '../../files/sink.ts';
import { fileSource, isAt } from '../../files/source.ts';

/** Weights of other programs, which transformers.js does not read. */
const OTHER_WEIGHTS = /\.(onnx|safetensors|bin|pt|pth|ckpt|h5|msgpack|gguf|tflite)$/i;
/** Files that are merged, not copied. */
export const MERGED = ['config.json', 'README.md'] as const;

/** What is copied, and from where it may come. */
export interface Others {
  readonly from: string;
  readonly to: string;
  readonly overwrite: boolean;
  /** Paths of the files that hold weights of the models: these are in what is written. */
  readonly weights: ReadonlySet<string>;
  /** Whether a file may be read, wherever a link leads. */
  readonly mayRead: (path: string) => Promise<boolean>;
}

/** Names of the files that belong to a model beside its weights: tokenizers, settings. Folders and hidden files stay. */
export async function otherFiles({ from, weights }: Pick<Others, 'from' | 'weights'>): Promise<string[]> {
  const entries = await readdir(from, { withFileTypes: true }).catch((cause: unknown) => {
    throw ioError(from, cause);
  });
  const names = entries.filter((one) => one.isFile() || one.isSymbolicLink()).map((one) => one.name);
  const merged: readonly string[] = MERGED;
  return names
    .filter((name) => !merged.includes(name) && !name.startsWith('.') && !weights.has(resolve(from, name)))
    .filter((name) => !OTHER_WEIGHTS.test(name) && !isDataFile(name))
    .sort();
}

/**
 * Copies one of {@link otherFiles}.
 * @returns whether it was copied: what is there already, the same, is not
 * @throws CompressError `exists`, `io`; `io` for a link that leads elsewhere too
 */
export async function copyOther(name: string, { from, to, overwrite, mayRead }: Others): Promise<boolean> {
  const path = join(from, name);
  const found = await stat(path).catch((cause: unknown) => {
    throw ioError(path, cause);
  });
  if (!found.isFile()) return false;
  if (!(await mayRead(path))) throw new CompressError('io', path, 'is a link to a file outside of its folder');
  return copyFile(path, join(to, name), overwrite);
}

/** Copies a file; one that is there and the same stays. @returns whether it was copied */
async function copyFile(from: string, to: string, overwrite: boolean): Promise<boolean> {
  const source = await fileSource(from);
  try {
    if ((await isAt(source, to)) || (await holds(to, source))) return false;
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
