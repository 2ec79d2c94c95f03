import { cacheTypes, dataFiles } from '../../targets/transformersjs.ts';
import { partsOf } from './names.ts';

/** An object of a JSON file. */
export type JsonObject = { readonly [key: string]: unknown };

/** A model file of the repository, as it is now. */
export interface PresentFile {
  /** Its name without the folder: `model_q4.onnx`. */
  readonly file: string;
  /** How many data files it has. */
  readonly data: number;
  /** Type of its past keys and values; undefined if it has none, or was not read. */
  readonly cache?: string | undefined;
}

/** The section of config.json that transformers.js reads. */
export const SECTION: string = dataFiles.value.key[0];

/**
 * Adds what transformers.js has to know about the files to its section of config.json. Existing entries stay; keys are
 * added for files about which they are wrong.
 * @returns the section; undefined if there is none and none is needed
 */
export function mergedSection(section: JsonObject | undefined, files: readonly PresentFile[]): JsonObject | undefined {
  const [, key] = dataFiles.value.key;
  const merged = {
    ...section,
    ...entryOf(key, mergedCounts(section?.[key], files)),
    ...entryOf(cacheTypes.value, mergedTypes(section?.[cacheTypes.value], files)),
  };
  return Object.keys(merged).length === 0 ? section : merged;
}

function entryOf(key: string, value: unknown): JsonObject {
  return value === undefined ? {} : { [key]: value };
}

/** How many data files each file has, by full name, which takes precedence over that of the model. */
function mergedCounts(given: unknown, files: readonly PresentFile[]): unknown {
  const wrong = files.filter(({ file, data }) => statedCount(given, file) !== data);
  if (wrong.length === 0) return given;
  // A single number applies to every file, even to those without data files.
  const listed = isObject(given) ? wrong : files.filter((one) => one.data > 0);
  return { ...(isObject(given) ? given : {}), ...Object.fromEntries(listed.map(({ file, data }) => [file, data])) };
}

/** The number that transformers.js derives from a setting for a file. */
function statedCount(given: unknown, file: string): number {
  if (!isObject(given)) return Number(given ?? 0);
  const name = partsOf(file)?.name ?? '';
  const stated = Object.hasOwn(given, file) ? given[file] : Object.hasOwn(given, name) ? given[name] : 0;
  return Number(stated ?? 0);
}

/** The type of past keys and values by dtype, if it is not float32 or the setting is wrong. */
function mergedTypes(given: unknown, files: readonly PresentFile[]): unknown {
  const stated = (dtype: string): unknown => (isObject(given) ? given[dtype] : given) ?? 'float32';
  const wrong = files.flatMap(({ file, cache }) => {
    const dtype = partsOf(file)?.dtype ?? '';
    return cache === undefined || stated(dtype) === cache ? [] : [[dtype, cache] as const];
  });
  if (wrong.length === 0) return given;
  const others = files.flatMap(({ file, cache }) => (cache === undefined ? [] : [[partsOf(file)?.dtype ?? '', cache]]));
  return { ...(isObject(given) ? given : Object.fromEntries(others)), ...Object.fromEntries(wrong) };
}

/** Whether a value of a JSON file is an object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
