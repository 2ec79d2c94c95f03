/** NumPy's .npz: a zip of .npy arrays. */
import { readFile } from 'node:fs/promises';
import { unzipSync, zipSync } from 'fflate';
import { Tensor } from 'onnxruntime-node';

/** Reads an .npz as tensors to feed, by name. float16 is widened to float32. */
export async function readNpz(path: string): Promise<Record<string, Tensor>> {
  const files = unzipSync(new Uint8Array(await readFile(path)));
  return Object.fromEntries(
    Object.entries(files).map(([name, bytes]) => [name.replace(/\.npy$/, ''), parseNpy(bytes, name)]),
  );
}

function parseNpy(bytes: Uint8Array, name: string): Tensor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = bytes[6] === 1 ? 10 : 12;
  const end = start + (bytes[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, end));
  const kind = /'descr': '([^']+)'/.exec(header)?.[1];
  const dims = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? '')
    .split(',')
    .filter((one) => one.trim() !== '')
    .map(Number);
  if (/'fortran_order': True/.test(header)) throw new Error(`${name}: column-major`);
  const { buffer } = Uint8Array.from(bytes.subarray(end));
  switch (kind) {
    case '<f4':
      return new Tensor('float32', new Float32Array(buffer), dims);
    case '<i8':
      return new Tensor('int64', new BigInt64Array(buffer), dims);
    case '|u1':
      return new Tensor('uint8', new Uint8Array(buffer), dims);
    case '|b1':
      return new Tensor('bool', new Uint8Array(buffer), dims);
    default:
      throw new Error(`${name}: dtype ${kind}`);
  }
}

/** The bytes of an .npz with float32 arrays. */
export function npzOf(arrays: Readonly<Record<string, { dims: readonly number[]; data: Float32Array }>>): Uint8Array {
  const files = Object.entries(arrays).map(([name, { dims, data }]) => {
    const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims.join(', ')},), }\n`;
    const head = Buffer.from(`\x93NUMPY\x01\x00\0\0${header}`, 'latin1');
    head.writeUInt16LE(header.length, 8);
    return [`${name}.npy`, new Uint8Array(Buffer.concat([head, new Uint8Array(data.buffer)]))] as const;
  });
  return zipSync(Object.fromEntries(files));
}
