import { join } from 'node:path';
import { storedWeights } from '../../layers/stored.ts';
import { temporaryFolder } from '../files/temporary.ts';
import { readModel, writeModel } from '../model.ts';
import { type InspectedSession, type Kernels, openInspected } from '../runtime/kernels.ts';
import { replaceDecoded } from './lean.ts';

/**
 * Maximum bytes of a model that is loaded directly; of a larger one, a copy is loaded. Two-bit codes take 16 times as
 * much when decoded.
 */
const MOST_LOADED: number = 1 << 22;

/**
 * Shows what ONNX Runtime makes of a model that will not be run. Weights in a data file are mapped into memory, and
 * those that no optimization touches are never read. So a large model is copied temporarily to the temporary folder,
 * with its weights in a data file. If ONNX Runtime decodes weights when it loads a model, the copy has only one of each
 * kind, see {@link replaceDecoded}.
 * @param path - the model's file; external data next to it is found
 * @param most - maximum bytes of a model that is loaded directly
 * @throws CompressError as {@link openInspected}
 */
export async function inspectKernels(path: string, most: number = MOST_LOADED): Promise<Kernels> {
  return (await isLarger(path, most))
    ? ((await inspectCopy(path, true)) ?? inspectCopy(path, false))
    : (await load(path, path)).kernels;
}

async function isLarger(path: string, most: number): Promise<boolean> {
  const model = await readModel(path);
  try {
    const { byteLength, dataFiles } = await model.header();
    return dataFiles.reduce((sum, file) => sum + file.byteLength, byteLength) > most;
  } finally {
    await model.close();
  }
}

/**
 * Inspects a copy of a model.
 * @param lean - leave out most of the decoded weights; the result is then undefined if ONNX Runtime does not decode all
 * remaining ones
 */
async function inspectCopy(path: string, lean: false): Promise<Kernels>;
async function inspectCopy(path: string, lean: true): Promise<Kernels | undefined>;
async function inspectCopy(path: string, lean: boolean): Promise<Kernels | undefined> {
  const model = await readModel(path);
  const folder = await temporaryFolder();
  try {
    const names = [...storedWeights(model).keys()];
    const replaced = lean ? await replaceDecoded(model) : new Map<string, readonly string[]>();
    const copy = join(folder.path, 'model.onnx');
    await writeModel(model, copy, { data: 'external' });
    const { kernels, initializers } = await load(copy, path);
    const made = new Set(kernels.madeFloat);
    for (const [kept, alike] of replaced) {
      if (initializers.has(kept)) return undefined;
      if (made.has(kept)) for (const one of alike) made.add(one);
    }
    return { ...kernels, madeFloat: names.filter((name) => made.has(name)) };
  } finally {
    await folder.remove();
    await model.close();
  }
}

async function load(path: string, label: string): Promise<Omit<InspectedSession, 'session'>> {
  const { session, ...found } = await openInspected(path, { label, packsWeights: false, arena: false });
  await session.release();
  return found;
}
