import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CompressError, ioError } from '../../../errors.ts';
import { isDataFile } from '../../../passes/variants/names.ts';
import { copyFile } from '../../files/copyFile.ts';

/** Weights of other programs, which transformers.js does not read. */
const OTHER_WEIGHTS = /\.(onnx|safetensors|bin|pt|pth|ckpt|h5|msgpack|gguf|tflite)$/i;
/** Files that are merged, not copied. */
export const MERGED = ['config.json', 'README.md'] as const;

/** What to copy, and from where. */
export interface Others {
  readonly from: string;
  readonly to: string;
  readonly overwrite: boolean;
  /** Paths of the models' data files, whose contents are part of the output. */
  readonly weights: ReadonlySet<string>;
  /** Whether a file may be read, considering where links lead. */
  readonly mayRead: (path: string) => Promise<boolean>;
}

/** Names of the other files of a model: tokenizers, settings. Folders and hidden files are not copied. */
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
 * @returns whether it was copied; an existing identical file is kept
 * @throws CompressError `exists`, `io`; also `io` for a link that leads elsewhere
 */
export async function copyOther(name: string, { from, to, overwrite, mayRead }: Others): Promise<boolean> {
  const path = join(from, name);
  const found = await stat(path).catch((cause: unknown) => {
    throw ioError(path, cause);
  });
  if (!found.isFile()) return false;
  if (!(await mayRead(path))) throw new CompressError('io', path, 'is a link to a file outside its folder');
  return copyFile(path, join(to, name), overwrite);
}
