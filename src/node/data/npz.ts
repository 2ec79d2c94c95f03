import type { Readable } from 'node:stream';
import { CompressError } from '../../errors.ts';
import { type Bytes, type Column, npyColumn } from './column.ts';

/** Maximum number of arrays: one per input. */
const MAX_ARRAYS = 4096;

/**
 * The arrays of a .npz file by name. Stored or compressed, they are read as streams: a file may be larger than memory.
 * @param kind - what errors call an array
 * @throws CompressError `data`, `limit` if there are too many
 */
export async function npzColumns(path: string, kind: 'input' | 'array' = 'input'): Promise<Map<string, Column>> {
  const parts = await zipParts(path, kind);
  const columns = new Map<string, Column>();
  for (const [name, bytes] of parts) columns.set(name, await npyColumn(bytes));
  return columns;
}

async function zipParts(path: string, kind: string): Promise<Map<string, Bytes>> {
  const { default: yauzl } = await import('yauzl');
  const broken = (cause: unknown): CompressError => {
    const message = cause instanceof Error ? `: ${cause.message}` : '';
    return new CompressError('data', path, `is not a .npz file, or is truncated${message}`, { cause });
  };
  type Zip = import('yauzl').ZipFile;
  type Entry = import('yauzl').Entry;
  // Opened again for each pass, so that nothing stays open in between.
  const opened = (): Promise<Zip> =>
    new Promise((resolve, reject) => {
      yauzl.open(path, { lazyEntries: true, autoClose: false }, (cause, zip) => {
        if (cause === null) resolve(zip);
        else reject(broken(cause));
      });
    });
  const entries = await new Promise<Entry[]>((resolve, reject) => {
    const found: Entry[] = [];
    opened().then((zip) => {
      const end = (settle: () => void): void => {
        zip.close();
        settle();
      };
      zip.on('error', (cause) => end(() => reject(broken(cause))));
      zip.on('end', () => end(() => resolve(found)));
      zip.on('entry', (entry: Entry) => {
        found.push(entry);
        if (found.length <= MAX_ARRAYS) zip.readEntry();
        else end(() => reject(new CompressError('limit', path, `has more than ${MAX_ARRAYS} arrays`)));
      });
      zip.readEntry();
    }, reject);
  });
  const stream = (zip: Zip, entry: Entry): Promise<Readable> =>
    new Promise((resolve, reject) => {
      zip.openReadStream(entry, (cause, readable) => {
        if (cause === null) resolve(readable);
        else reject(broken(cause));
      });
    });
  if (entries.some((entry) => entry.fileName.endsWith('/data.pkl'))) {
    const hint = 'Save the tensors by name: safetensors.torch.save_file(tensors, file) or numpy.savez(file, **arrays).';
    throw new CompressError('data', path, 'is a PyTorch pickle, which is not loaded because it can run code', { hint });
  }
  const parts = new Map<string, Bytes>();
  for (const entry of entries) {
    const name = entry.fileName.replace(/\.npy$/, '');
    if (parts.has(name)) throw new CompressError('data', path, `has two arrays named '${name}'`);
    const open = async function* (): AsyncGenerator<Uint8Array> {
      const zip = await opened();
      try {
        for await (const part of await stream(zip, entry)) yield part as Uint8Array;
      } catch (cause) {
        throw broken(cause);
      } finally {
        zip.close();
      }
    };
    parts.set(name, { where: `${path}, ${kind} '${name}'`, byteLength: entry.uncompressedSize, open });
  }
  return parts;
}
