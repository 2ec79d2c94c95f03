import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { Sink } from '../bytes/sink.ts';
import { CompressError, ioError } from '../errors.ts';
import { maySee } from '../io/folder.ts';
import { fileSink, finishTogether } from '../io/sink.ts';
import { isAt } from '../io/source.ts';
import type { Model } from '../ir/model.ts';
import type { Addition } from './encode.ts';
import { modelOrigins } from './origin.ts';
import { writeParts } from './parts.ts';
import { type DataMode, type ModelPlan, planModel } from './plan.ts';
import { Segment } from './segment.ts';

export interface WriteOptions {
  /** Where weights go; see {@link DataMode}. */
  readonly data?: DataMode;
  /** Replace files that exist. */
  readonly overwrite?: boolean;
  /** Nodes and outputs that the file gets and the model has not, e.g. to look at what it computes inside. */
  readonly adding?: Addition | undefined;
  /** Called with the bytes that are written so far, of all that will be. */
  readonly onProgress?: (written: number, total: number) => void;
}

/** What was written: sizes in bytes, and the data files beside the model file. */
export interface Written {
  readonly byteLength: number;
  readonly dataByteLength: number;
  readonly dataFiles: readonly string[];
}

/**
 * Writes a model: untouched bytes are copied, changed tensors computed one at a time.
 * A file appears under its name only when it is complete; after an error nothing new is there.
 *
 * @param target - a path, or a sink (a pipe, memory) for models that fit one file
 * @throws CompressError `exists`, `io`, `limit`
 */
export async function writeModel(model: Model, target: string | Sink, options: WriteOptions = {}): Promise<Written> {
  const planned = { mode: options.data ?? 'auto', adding: options.adding };
  if (typeof target !== 'string') {
    const plan = planModel(model, planned);
    const wrote = counter(plan.byteLength, options.onProgress);
    await guarded(model, [target], () => writeParts(plan.parts, target, wrote));
    return { byteLength: plan.byteLength, dataByteLength: 0, dataFiles: [] };
  }
  const dataName = `${basename(target)}.data`;
  const plan = planModel(model, { ...planned, dataName });
  const overwrite = options.overwrite ?? false;
  // Both sinks are opened before a byte is written: a refusal then costs nothing.
  const main = await fileSink(target, { overwrite });
  const sinks = [main];
  const dataFiles: string[] = [];
  const wrote = counter(plan.byteLength + (plan.data?.byteLength ?? 0), options.onProgress);
  await guarded(model, sinks, async () => {
    if (plan.keepsDataFiles) dataFiles.push(...(await copyDataFiles(model, target, overwrite, sinks)));
    const data = plan.data;
    if (data === undefined) return writeParts(plan.parts, main, wrote);
    const path = resolve(dirname(target), data.location);
    const sink = await fileSink(path, { overwrite, model: target });
    sinks.unshift(sink);
    dataFiles.push(path);
    if (!data.carriesChecksum) {
      await writeParts(data.parts, sink, wrote);
      return writeParts(plan.parts, main, wrote);
    }
    const hash = createHash('sha1');
    const hashed = {
      write: (chunk: Uint8Array): Promise<void> => {
        hash.update(chunk);
        return sink.write(chunk);
      },
    };
    await writeParts(data.parts, hashed, wrote);
    const final = planModel(model, { ...planned, dataName, checksum: hash.digest('hex') });
    return writeParts(final.parts, main, wrote);
  });
  return { byteLength: plan.byteLength, dataByteLength: dataLength(model, plan), dataFiles };
}

/** Adds up what is written. */
function counter(total: number, onProgress: WriteOptions['onProgress']): (byteLength: number) => void {
  let written = 0;
  return (byteLength) => {
    written += byteLength;
    onProgress?.(written, total);
  };
}

/**
 * Runs the work, then finishes every sink, together; whatever fails, all are aborted. A model whose files changed while they
 * were read is a failure too: what was written would be of two models.
 */
async function guarded(model: Model, sinks: readonly Sink[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
    await checkUnchanged(model);
    await finishTogether(sinks);
  } catch (cause) {
    for (const sink of sinks) await sink.abort();
    throw cause;
  }
}

/**
 * Checks that the files a model was read from are still what they were.
 * @throws CompressError `io` where they are not, or where something came behind a model that another process handed over
 */
export async function checkUnchanged(model: Model): Promise<void> {
  const origin = modelOrigins.get(model);
  for (const source of [origin?.source, ...(origin?.dataFiles.values() ?? [])]) await source?.unchanged?.();
}

/** Copies the data files of an untouched model to the folder it goes to, unless they lie there already. */
async function copyDataFiles(model: Model, target: string, overwrite: boolean, sinks: Sink[]): Promise<string[]> {
  const origin = modelOrigins.get(model);
  const copied: string[] = [];
  const seen = new Set<string>();
  const folder = dirname(target);
  for (const [location, source] of origin?.dataFiles ?? []) {
    const path = resolve(folder, location);
    if (path === resolve(target)) {
      throw new CompressError('exists', target, 'the model keeps its weights in a file of this name', {
        hint: 'Give the output another name.',
      });
    }
    if (seen.has(path)) continue;
    seen.add(path);
    // A link that the new model could not follow, as into a cache, is no file for it.
    if ((await isAt(source, path)) && (await maySee(target, path))) continue;
    await mkdir(dirname(path), { recursive: true }).catch((cause: unknown) => {
      throw ioError(path, cause);
    });
    const sink = await fileSink(path, { overwrite, model: target }).catch((cause: unknown) => {
      throw nameTaken(cause, target);
    });
    sinks.unshift(sink);
    await writeParts([new Segment(source, 0, source.byteLength)], sink);
    copied.push(path);
  }
  return copied;
}

/** A data file keeps its name, so two models may want the same one; to replace it would break the model that is there. */
function nameTaken(cause: unknown, target: string): unknown {
  if (!(cause instanceof CompressError) || cause.code !== 'exists') return cause;
  return new CompressError('exists', cause.where, 'the file already exists, and may belong to another model', {
    cause,
    hint: `An unchanged model keeps the names of its data files. Write it to another folder, or put its weights into ${basename(target)}.data (--external-data) or into the model (--embed). --force replaces the file, for every model that reads it.`,
  });
}

function dataLength(model: Model, plan: ModelPlan): number {
  if (plan.data !== undefined) return plan.data.byteLength;
  if (!plan.keepsDataFiles) return 0;
  const files = modelOrigins.get(model)?.dataFiles.values() ?? [];
  return [...files].reduce((sum, source) => sum + source.byteLength, 0);
}
