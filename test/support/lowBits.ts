import { readFileSync } from 'node:fs';
import type { DataSet } from '../../src/node/data/types.ts';
import { feed, runModel } from './ort.ts';
import { sqnr } from './sqnr.ts';

/** SQNR in dB of the outputs of a model against another one, on the first batch of data. */
export async function keptOnData(path: string, bytes: Uint8Array, data: DataSet): Promise<number> {
  for await (const { feeds } of data.samples()) {
    const tensors = Object.fromEntries(
      Object.entries(feeds).map(([name, one]) => [name, feed(one.dims, one.data as Float32Array)]),
    );
    return sqnr(await runModel(readFileSync(path), tensors), await runModel(bytes, tensors, 'all'));
  }
  throw new Error('no data');
}
