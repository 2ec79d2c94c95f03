import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CompressError, ioError } from '../../../errors.ts';
import { MODEL_FOLDER, partsOf } from '../../../passes/variants/names.ts';
import { isCopy } from './identity.ts';

/** A model that variants are made from. */
export interface SourceModel {
  /** The base name of its files: `decoder_model_merged`. */
  readonly name: string;
  readonly path: string;
}

/** The models of the given input. */
export interface Sources {
  /** The folder of config.json and the tokenizer. */
  readonly root: string;
  readonly models: readonly SourceModel[];
  /** Whether a folder was given, whose files belong together. */
  readonly isFolder: boolean;
  /** Models that were skipped, and why. */
  readonly notes: readonly string[];
}

/**
 * Finds the float models of a folder and its subfolder `onnx`: those whose names are not those of a variant. For a
 * single file, that file.
 * @throws CompressError `io`, `options` if there is none
 */
export async function findSources(input: string): Promise<Sources> {
  const found = await stat(input).catch((cause: unknown) => {
    throw ioError(input, cause);
  });
  if (!found.isDirectory()) return aloneOf(input);
  const inner = await filesOf(join(input, MODEL_FOLDER));
  const models = new Map<string, string>();
  const notes: string[] = [];
  for (const path of [...inner, ...(await filesOf(input))]) {
    const parts = partsOf(basename(path));
    if (parts === undefined || parts.dtype !== 'fp32') continue;
    const other = models.get(parts.name);
    // A float model that we wrote is a copy of the one in the folder itself.
    if (other === undefined || (await isCopy(other))) models.set(parts.name, path);
    else notes.push(`${path} is skipped: ${other} has the same name`);
  }
  if (models.size === 0) {
    const fact = `contains no float model, and neither does its folder ${MODEL_FOLDER}`;
    throw new CompressError('options', input, fact, { hint: 'Give the folder with model.onnx, or the file itself.' });
  }
  return { root: input, models: [...models].map(([name, path]) => ({ name, path })), isFolder: true, notes };
}

/**
 * A single file; other files in its folder may not belong to it.
 * @throws CompressError `options` if its name is that of a variant
 */
function aloneOf(path: string): Sources {
  const parts = partsOf(basename(path));
  if (parts !== undefined && parts.dtype !== 'fp32') {
    throw new CompressError('options', path, `has the name of the ${parts.dtype} file of '${parts.name}'`, {
      hint: `Give the float model, ${parts.name}.onnx. If this is a float model, rename it.`,
    });
  }
  const folder = dirname(path);
  const root = basename(folder) === MODEL_FOLDER ? dirname(folder) : folder;
  const name = basename(path).replace(/\.onnx$/, '');
  return { root, models: [{ name, path }], isFolder: false, notes: [] };
}

/** The files in a folder, by name; empty if there is no such folder. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw ioError(folder, cause);
  });
  const files = entries.filter((one) => one.isFile() || one.isSymbolicLink());
  return files.map((one) => join(folder, one.name)).sort();
}
