import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';

const TYPES = { '<f4': Float32Array, '<i8': BigInt64Array, '<i4': Int32Array, '|b1': Uint8Array, '|u1': Uint8Array };

/**
 * Reads the arrays of an .npz file.
 * @param {string} path
 * @returns {Record<string, { dims: number[], data: any, type: string }>}
 */
export function readNpz(path) {
  const arrays = {};
  for (const [name, bytes] of Object.entries(unzipSync(readFileSync(path)))) {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const length = bytes[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
    const start = (bytes[6] === 1 ? 10 : 12) + length;
    const header = new TextDecoder().decode(bytes.subarray(start - length, start));
    const type = /'descr': '([^']+)'/.exec(header)?.[1] ?? '';
    const dims = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? '')
      .split(',')
      .filter((one) => one.trim())
      .map(Number);
    arrays[name.replace(/\.npy$/, '')] = { dims, data: new TYPES[type](bytes.slice(start).buffer), type };
  }
  return arrays;
}
