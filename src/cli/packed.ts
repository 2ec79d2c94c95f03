import type { StoreValues } from '../options/common.ts';
import type { PassReport } from '../passes/pass.ts';

/**
 * Adds a note to the reports of a model whose packed weights will be written dense, because that makes the file larger.
 */
export function packedNotes(reports: readonly PassReport[], { store }: Partial<StoreValues>): PassReport[] {
  const last = reports.findLastIndex((one) => one.pass === 'pack');
  const again = store === undefined ? 'onnx-compress pack' : '--store bitmask';
  return reports.map((one, index) => {
    const { unpacked } = one;
    if (unpacked === undefined || index < last) return one;
    const came = unpacked === 1 ? '1 packed weight is' : `${unpacked} packed weights are`;
    const note = `${came} unpacked; ${again} packs ${unpacked === 1 ? 'it' : 'them'} again`;
    return { ...one, notes: [...one.notes, note] };
  });
}
