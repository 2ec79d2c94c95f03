import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError } from '../../errors.ts';
import { temporaryFolder } from '../files/temporary.ts';
import { readModel, writeModel } from '../model.ts';
import { type Kernels, openInspected } from './kernels.ts';

/** A model file of more bytes has its weights put beside a copy of it before it is loaded. */
const MOST_LOADED: number = 1 << 26;

/**
 * Tells what ONNX Runtime makes of a model that is not to be run. Weights that lie beside a model are mapped into
 * memory, and those that no rewriting touches are never read: of a large model that has them in its file a copy is
 * made, for that long, in the folder for temporary files.
 * @param path - the model's file; external data beside it is found
 * @param most - bytes of a model file that is loaded as it is
 * @throws CompressError as {@link openInspected}
 */
export async function inspectKernels(path: string, most: number = MOST_LOADED): Promise<Kernels> {
  const { size } = await stat(path).catch((cause: unknown) => {
    throw ioError(path, cause);
  });
  const folder = size > most ? await temporaryFolder() : undefined;
  try {
    const loaded = folder === undefined ? path : join(folder.path, 'model.onnx');
    if (folder !== undefined) await writeApart(path, loaded);
    const { session, kernels } = await openInspected(loaded, { label: path, packsWeights: false, arena: false });
    await session.release();
    return kernels;
  } finally {
    await folder?.remove();
  }
}

async function writeApart(path: string, target: string): Promise<void> {
  const model = await readModel(path);
  try {
    await writeModel(model, target, { data: 'external' });
  } finally {
    await model.close();
  }
}
