import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CompressError, ioError } from '../../../errors.ts';
import type { Model } from '../../../ir/model.ts';
import { modelOrigins } from '../../../onnx/origin.ts';
import {
  isObject,
  type JsonObject,
  mergedSection,
  type PresentFile,
  SECTION,
} from '../../../passes/variants/config.ts';
import { withMember } from '../../../passes/variants/member.ts';
import { MODEL_FOLDER, partsOf } from '../../../passes/variants/names.ts';
import { checkStructure } from '../../data/jsonFile.ts';
import { readTextFile } from '../../files/textFile.ts';
import { readModel } from '../../model.ts';

/** A model's settings have a few kilobytes, with tables of labels some hundred. */
const MAX_TEXT_BYTES: number = 1 << 22;

/**
 * A short text file that may not exist, and may be written back.
 * @throws CompressError `limit` if it is too long, `malformed` if it is not UTF-8
 */
export async function textOf(path: string): Promise<string | undefined> {
  const text = await readTextFile(path, MAX_TEXT_BYTES).catch((cause: unknown) => {
    if (cause instanceof CompressError && isAbsent(cause.cause)) return undefined;
    throw cause;
  });
  if (text !== undefined && Buffer.byteLength(text) > MAX_TEXT_BYTES) {
    throw new CompressError('limit', path, `has more than ${MAX_TEXT_BYTES} bytes`);
  }
  if (text?.includes('\uFFFD')) throw new CompressError('malformed', path, 'is not UTF-8');
  return text;
}

function isAbsent(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

/**
 * The config.json for the models that are in a folder now.
 * @param text - its current text
 * @param path - its path, for errors
 * @throws CompressError `malformed` if it is not a JSON object
 */
export async function mergedConfig(text: string, path: string, folder: string): Promise<string> {
  const config = objectOf(text, path);
  const given = config[SECTION];
  const section = isObject(given) ? given : undefined;
  const merged = mergedSection(section, await presentFiles(join(folder, MODEL_FOLDER)));
  return JSON.stringify(merged) === JSON.stringify(section) ? text : withMember(text, SECTION, merged);
}

function objectOf(text: string, path: string): JsonObject {
  checkStructure(new TextEncoder().encode(text), path);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CompressError('malformed', path, `is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (isObject(json)) return json;
  throw new CompressError('malformed', path, 'is not a JSON object');
}

/**
 * The models of a folder, with what transformers.js needs to know about each. Files that are not models are skipped.
 */
export async function presentFiles(folder: string): Promise<PresentFile[]> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw ioError(folder, cause);
  });
  const files: PresentFile[] = [];
  for (const file of names.sort()) {
    if (partsOf(file) === undefined) continue;
    const model = await readModel(join(folder, file)).catch((cause: unknown) => {
      if (cause instanceof CompressError) return undefined;
      throw cause;
    });
    if (model === undefined) continue;
    const data = modelOrigins.get(model)?.dataFiles.size ?? 0;
    files.push({ file, data, cache: cacheOf(model) });
    await model.close();
  }
  return files;
}

/** The dtype of past keys and values that a model takes. */
function cacheOf(model: Model): string | undefined {
  return model.graph.inputs.find((one) => one.name.startsWith('past_key_values'))?.dtype;
}
