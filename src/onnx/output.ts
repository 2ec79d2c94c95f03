import type { Sink } from '../bytes/sink.ts';
import type { Model } from '../ir/model.ts';
import { checkShape, type Shape } from '../options/check.ts';
import type { Addition } from './encode.ts';
import { modelOrigins } from './origin.ts';
import { writeParts } from './parts.ts';
import { DATA_MODES, type DataChunks, type DataMode, planModel } from './plan.ts';

/** Options of {@link writeModel}. */
export interface WriteOptions {
  /** Where weights are stored; see {@link DataMode}. */
  readonly data?: DataMode;
  /** Data files of a limited size; not available for a stream. */
  readonly chunks?: DataChunks | undefined;
  /** Nodes and outputs that the file gets but the model does not have, e.g. to read intermediate values. */
  readonly adding?: Addition | undefined;
  /** Called with the bytes written so far, and the total. */
  readonly onProgress?: (written: number, total: number) => void;
}

export const WRITE_SHAPE: Shape<WriteOptions> = {
  data: DATA_MODES,
  chunks: 'object',
  adding: 'object',
  onProgress: 'function',
};

/** What was written: sizes in bytes, and the data files next to the model file. */
export interface Written {
  readonly byteLength: number;
  readonly dataByteLength: number;
  readonly dataFiles: readonly string[];
}

/**
 * Writes a model that fits into one file: unchanged bytes are copied, changed tensors are computed one at a time. After
 * an error the sink is aborted.
 *
 * @throws CompressError `io`, `limit`, `options`
 * @example
 * const sink = bytesSink();
 * await writeModel(model, sink);
 * download(sink.bytes());
 */
export async function writeModel(model: Model, sink: Sink, options: WriteOptions = {}): Promise<Written> {
  checkShape('writeModel', options, WRITE_SHAPE);
  return writeInto(model, sink, options);
}

/** As {@link writeModel}, with checked options. */
export async function writeInto(model: Model, sink: Sink, options: WriteOptions): Promise<Written> {
  const plan = planModel(model, { mode: options.data ?? 'auto', adding: options.adding });
  const wrote = counter(plan.byteLength, options.onProgress);
  try {
    await writeParts(plan.parts, sink, wrote);
    await checkUnchanged(model);
    await sink.finish();
  } catch (cause) {
    await sink.abort();
    throw cause;
  }
  return { byteLength: plan.byteLength, dataByteLength: 0, dataFiles: [] };
}

/** Returns a function that counts written bytes and reports progress. */
export function counter(total: number, onProgress: WriteOptions['onProgress']): (byteLength: number) => void {
  let written = 0;
  return (byteLength) => {
    written += byteLength;
    onProgress?.(written, total);
  };
}

/**
 * Checks that the files a model was read from have not changed.
 * @throws CompressError `io` if they have, or if anything follows a model in the pipe from another process
 */
export async function checkUnchanged(model: Model): Promise<void> {
  const origin = modelOrigins.get(model);
  for (const source of [origin?.source, ...(origin?.dataFiles.values() ?? [])]) await source?.unchanged?.();
}
