import { equalBytes } from '../bytes/bytes.ts';
import { readInto, type Source } from '../bytes/source.ts';
import type { Model } from '../ir/model.ts';
import { modelOrigins } from './origin.ts';

/** Bytes of each file in memory at a time. */
const CHUNK = 1 << 20;

/** Whether two models were read from files that are the same byte for byte, data files included. */
export async function sameFiles(one: Model, other: Model): Promise<boolean> {
  const [a, b] = [modelOrigins.get(one), modelOrigins.get(other)];
  if (a === undefined || b === undefined || a.dataFiles.size !== b.dataFiles.size) return false;
  if (!(await sameBytes(a.source, b.source))) return false;
  for (const [location, file] of a.dataFiles) {
    const there = b.dataFiles.get(location);
    if (there === undefined || !(await sameBytes(file, there))) return false;
  }
  return true;
}

async function sameBytes(one: Source, other: Source): Promise<boolean> {
  if (one.byteLength !== other.byteLength) return false;
  const [a, b] = [new Uint8Array(CHUNK), new Uint8Array(CHUNK)];
  for (let at = 0; at < one.byteLength; at += CHUNK) {
    const length = Math.min(CHUNK, one.byteLength - at);
    await Promise.all([readInto(one, a.subarray(0, length), at), readInto(other, b.subarray(0, length), at)]);
    if (!equalBytes(a.subarray(0, length), b.subarray(0, length))) return false;
  }
  return true;
}
