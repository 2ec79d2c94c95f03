import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Sink } from '../bytes/sink.ts';
import type { Source } from '../bytes/source.ts';
import { CompressError, ioError } from '../errors.ts';
import type { Model } from '../ir/model.ts';
import { modelOrigins } from '../onnx/origin.ts';
import {
  checkUnchanged,
  counter,
  type WriteOptions as SinkOptions,
  WRITE_SHAPE,
  type Written,
  writeInto,
} from '../onnx/output.ts';
import { type Part, writeParts } from '../onnx/parts.ts';
import { dataBytes, type ModelPlan, planModel } from '../onnx/plan.ts';
import { type ModelBytes, readModel as readSource, sourceOf } from '../onnx/read.ts';
import { Segment } from '../onnx/segment.ts';
import { checkShape, type Shape } from '../options/check.ts';
import { holds } from './files/copyFile.ts';
import { maySee, modelFolder } from './files/folder.ts';
import { fileSink, finishTogether } from './files/sink.ts';
import { fileSource } from './files/source.ts';
import { targetOf } from './files/target.ts';

export type { Written } from '../onnx/output.ts';

/** A `URL` of a file, such as `new URL('model.onnx', import.meta.url)`. */
export interface FileUrl {
  readonly href: string;
}

/** Options of {@link readModel}. */
export interface ReadOptions {
  /** Path of the model file in whose folder the external data is; the path of the model if omitted. */
  readonly dataBeside?: string;
}

/** Options of {@link writeModel}. */
export interface WriteOptions extends SinkOptions {
  /** Replace existing files. */
  readonly overwrite?: boolean;
}

const READ_SHAPE: Shape<ReadOptions> = { dataBeside: 'text' };
const FILE_SHAPE: Shape<WriteOptions> = { ...WRITE_SHAPE, overwrite: 'flag' };

/**
 * Opens a model: reads nodes, types and metadata. Weights stay in the file until they are needed. The model keeps its
 * files open; `model.close()` or `await using` closes them.
 *
 * @param input - a path or file URL, the bytes of a file, or any {@link Source}. External data needs a path, here or
 *   in `options`
 * @throws CompressError `malformed`, `limit` or `unsupported`, with the file, the place and the fact; `io`; `options`
 *   if `input` is none of these
 * @example
 * await using model = await readModel('model.onnx');
 */
export async function readModel(input: string | FileUrl | ModelBytes, options: ReadOptions = {}): Promise<Model> {
  checkShape('readModel', options, READ_SHAPE);
  const path = typeof input === 'string' ? input : isUrl(input) ? pathOf(input) : undefined;
  const source = path === undefined ? sourceOf(input, 'a path, a file URL, bytes or a Source') : await fileSource(path);
  const beside = options.dataBeside ?? path;
  try {
    const own = options.dataBeside === undefined ? source : undefined;
    const folder = beside === undefined ? undefined : await modelFolder(beside, own);
    return await readSource(source, { folder });
  } catch (cause) {
    await source.close().catch(() => {});
    throw cause;
  }
}

function isUrl(value: unknown): value is FileUrl {
  return typeof (value as FileUrl | null)?.href === 'string';
}

function pathOf({ href }: FileUrl): string {
  if (!href.startsWith('file:')) throw new CompressError('options', href, 'is not a file: download it first');
  return fileURLToPath(href);
}

/**
 * Writes a model: unchanged bytes are copied, changed tensors are computed one at a time. A file appears under its name
 * only when it is complete; after an error, no new file is left. If the path is a link, the file it points to is
 * written, with its data next to that. A path that leads to a pipe or a device is streamed to.
 *
 * @param target - a path or file URL; or a sink (a pipe, memory), for models that fit into one file
 * @throws CompressError `exists`, `io`, `limit`, `options`
 * @example
 * await using model = await readModel('model.onnx');
 * await transform(model, quantize());
 * await writeModel(model, 'small.onnx', { overwrite: true });
 */
export async function writeModel(
  model: Model,
  target: string | FileUrl | Sink,
  options: WriteOptions = {},
): Promise<Written> {
  checkShape('writeModel', options, FILE_SHAPE);
  if (isUrl(target)) return writeModel(model, pathOf(target), options);
  if (typeof target !== 'string') return writeInto(model, target, options);
  const lead = targetOf(target);
  if (lead.kind !== 'file') return writeInto(model, await fileSink(target), options);
  return writeFile(model, lead.path, options);
}

/** Writes a model to the file that a path leads to: its data goes next to that file, not next to a link. */
async function writeFile(model: Model, target: string, options: WriteOptions): Promise<Written> {
  const planned = { mode: options.data ?? 'auto', chunks: options.chunks, adding: options.adding };
  const dataName = `${basename(target)}.data`;
  const plan = planModel(model, { ...planned, dataName });
  const overwrite = options.overwrite ?? false;
  // Open both sinks before writing, so that a refusal costs nothing.
  const main = await fileSink(target, { overwrite });
  const sinks = [main];
  const dataFiles: string[] = [];
  const wrote = counter(plan.byteLength + dataBytes(plan), options.onProgress);
  await guarded(model, sinks, async () => {
    if (plan.keepsDataFiles) dataFiles.push(...(await copyDataFiles(model, target, overwrite, sinks)));
    const checksums = new Map<string, string>();
    for (const { location, parts, carriesChecksum } of plan.data) {
      const path = resolve(dirname(target), location);
      const sink = await fileSink(path, { overwrite, model: target });
      sinks.unshift(sink);
      dataFiles.push(path);
      if (carriesChecksum) checksums.set(location, await writeHashed(parts, sink, wrote));
      else await writeParts(parts, sink, wrote);
    }
    const final = checksums.size === 0 ? plan : planModel(model, { ...planned, dataName, checksums });
    return writeParts(final.parts, main, wrote);
  });
  return { byteLength: plan.byteLength, dataByteLength: dataLength(model, plan), dataFiles };
}

/** Writes the parts of a data file. @returns their SHA-1 */
async function writeHashed(parts: readonly Part[], sink: Sink, wrote: (byteLength: number) => void): Promise<string> {
  const hash = createHash('sha1');
  const hashed = {
    write: (chunk: Uint8Array): Promise<void> => {
      hash.update(chunk);
      return sink.write(chunk);
    },
  };
  await writeParts(parts, hashed, wrote);
  return hash.digest('hex');
}

/**
 * Runs the work, then finishes all sinks together; on any failure, all are aborted. It is also a failure if a file of
 * the model changed while it was read, because the output would mix two versions.
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

/** Copies the data files of an untouched model to the target folder, unless identical ones are already there. */
async function copyDataFiles(model: Model, target: string, overwrite: boolean, sinks: Sink[]): Promise<string[]> {
  const origin = modelOrigins.get(model);
  const copied: string[] = [];
  const seen = new Set<string>();
  const folder = dirname(target);
  for (const [location, source] of origin?.dataFiles ?? []) {
    const path = resolve(folder, location);
    if (path === resolve(target)) {
      throw new CompressError('exists', target, 'the model keeps its weights in a file of this name', {
        hint: 'Choose another name for the output.',
      });
    }
    if (seen.has(path)) continue;
    seen.add(path);
    // A link that the new model could not follow, such as into a cache, does not count as its file.
    if ((await holds(path, source)) && (await maySee(target, path))) continue;
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

/**
 * The error for an existing data file: data files keep their names, so two models may want the same one, and replacing
 * it would break the existing model.
 */
function nameTaken(cause: unknown, target: string): unknown {
  if (!(cause instanceof CompressError) || cause.code !== 'exists') return cause;
  return new CompressError('exists', cause.where, 'the file already exists and may belong to another model', {
    cause,
    hint:
      'An unchanged model keeps the names of its data files. Write it to another folder, or store its weights ' +
      `in ${basename(target)}.data (\`data: external\`) or in the model (\`data: embed\`). \`overwrite\` ` +
      'replaces the file for every model that reads it.',
  });
}

function dataLength(model: Model, plan: ModelPlan): number {
  if (!plan.keepsDataFiles) return dataBytes(plan);
  const files = modelOrigins.get(model)?.dataFiles.values() ?? [];
  return [...files].reduce((sum, source) => sum + source.byteLength, 0);
}
