import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Results } from '../../activations/results.ts';
import { ioError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { type Identity, type ResultsFile, resultsFile } from './results.ts';

/** A folder with the results of layers; it remains when a run is interrupted. */
export interface ResultsFolder {
  /**
   * Opens the results of the next slow pass. Earlier results are used if they have the same identity: model, data,
   * options and versions.
   * @param model - reads from the results until it is closed
   * @throws CompressError `data` for results of something else; `io`
   */
  open(identity: Identity, model: Pick<Model, 'onClose'>): Promise<Results>;
  /** Removes the results once the model is written, and the folder if it is empty. */
  remove(): Promise<void>;
}

export interface ResultsFolderOptions {
  /** Continue from existing results; otherwise they are removed when the first new result is stored. */
  readonly resume?: boolean;
}

/** Folders that were opened, until they are removed. */
const folders = new Set<Folder>();

/**
 * A folder for results. It is created with the first result.
 * @example
 * const results = resultsFolder('small.resume', { resume: true });
 * await transform(model, prunedByData({ method: 'sparsegpt', amount: 0.6 }, { data: 'calib.npz', results }));
 * await writeModel(model, 'small.onnx');
 * await results.remove();
 */
export function resultsFolder(path: string, { resume = false }: ResultsFolderOptions = {}): ResultsFolder {
  return new Folder(path, resume);
}

/** Removes the results of a successful run. */
export async function removeResults(): Promise<void> {
  for (const folder of folders) await folder.remove();
}

/** Folders with results of a failed run, and their number of layers; each is returned once. */
export function takeKeptResults(): { readonly path: string; readonly count: number }[] {
  const taken = [...folders];
  folders.clear();
  return taken.map(({ path, count }) => ({ path, count })).filter(({ count }) => count > 0);
}

const NAME = /^[1-9]\d{0,2}\.results$/;

class Folder implements ResultsFolder {
  readonly path: string;
  readonly #resume: boolean;
  readonly #files: ResultsFile[] = [];

  constructor(path: string, resume: boolean) {
    [this.path, this.#resume] = [path, resume];
  }

  /** Number of results in it. */
  get count(): number {
    return this.#files.reduce((sum, { count }) => sum + count, 0);
  }

  async open(identity: Identity, model: Pick<Model, 'onClose'>): Promise<Results> {
    if (!this.#resume && this.#files.length === 0) await this.#clear();
    const file = await resultsFile(join(this.path, `${this.#files.length + 1}.results`), identity);
    model.onClose(() => file.close());
    this.#files.push(file);
    folders.add(this);
    return file;
  }

  async remove(): Promise<void> {
    folders.delete(this);
    if (this.#files.length === 0) return;
    await this.#clear();
    // It may contain other files, or not exist.
    await rmdir(this.path).catch(() => {});
  }

  async #clear(): Promise<void> {
    const names = await readdir(this.path).catch(() => []);
    for (const name of names.filter((one) => NAME.test(one))) {
      await rm(join(this.path, name)).catch((cause: unknown) => {
        throw ioError(join(this.path, name), cause);
      });
    }
  }
}
