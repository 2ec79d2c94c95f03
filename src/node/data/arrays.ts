import { basename } from 'node:path';
import { CompressError } from '../../errors.ts';
import type { NamedArray, NamedArrays } from '../../ir/arrays.ts';
import { fileSource } from '../files/source.ts';
import { type Column, pieces } from './column.ts';
import { npzColumns } from './npz.ts';
import { safetensorsArrays } from './safetensors.ts';

/**
 * Opens a .npz or .safetensors file with arrays by name: masks or scores of weights. The first bytes tell the format.
 * Elements are read when a pass needs them, one array at a time.
 *
 * @throws CompressError `data` if the file is broken or has another format; `limit`, `io`
 * @example
 * await transform(model, prune({ method: 'mask', masks: await openArrays('masks.npz') }));
 */
export async function openArrays(path: string): Promise<NamedArrays> {
  const arrays = (await startsLikeZip(path)) ? await npzArrays(path) : await safetensorsArrays(path);
  return { label: basename(path), arrays };
}

async function npzArrays(path: string): Promise<Map<string, NamedArray>> {
  const columns = await npzColumns(path, 'array');
  return new Map([...columns].map(([name, column]) => [name, arrayOf(column, `${path}, array '${name}'`)]));
}

function arrayOf(column: Column, where: string): NamedArray {
  const { dtype, dims } = column;
  return {
    dtype,
    dims,
    async load() {
      // All rows at once; a scalar has one.
      for await (const piece of pieces(column, [dims[0] ?? 1], where)) return new Uint8Array(piece);
      return new Uint8Array(0);
    },
  };
}

/** The length field of a .safetensors header, and the opening brace. */
const HEAD = 9;

/** Whether a file begins like a .npz file; other known formats are refused by name. */
async function startsLikeZip(path: string): Promise<boolean> {
  const file = await fileSource(path);
  const head = await file.read(0, Math.min(HEAD, file.byteLength)).finally(() => file.close());
  if (head[0] === 0x50 && head[1] === 0x4b) return true;
  if (head[8] === 0x7b) return false;
  const hint = 'Save the arrays by name: numpy.savez(file, **arrays) or safetensors.torch.save_file(tensors, file).';
  throw new CompressError('data', path, 'is neither a .npz nor a .safetensors file', { hint });
}
