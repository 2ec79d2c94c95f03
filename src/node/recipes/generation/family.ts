import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CompressError, ioError } from '../../../errors.ts';
import type { VariantDtype } from '../../../options/variants.ts';
import { MODEL_FOLDER, partsOf } from '../../../passes/variants/names.ts';
import { readFacts } from '../../runtime/facts.ts';

/** A decoder in one of the forms that exporters write. */
export interface DecoderFiles {
  /**
   * `merged`: one file for all steps. `with past`: one file for the first step, and one that reads the cache of earlier
   * steps. `without cache`: one file that is fed all tokens at each step.
   */
  readonly form: 'merged' | 'with past' | 'without cache';
  /** Path of the model for the first step; except for `with past`, also for all later steps. */
  readonly first: string;
  /** Path of the model for the later steps. */
  readonly next: string;
}

/** The models of a folder that generate text together, all in one dtype. */
export interface Family {
  /** The folder with config.json and the tokenizer. */
  readonly root: string;
  readonly dtype: string;
  /** Absent if the decoder reads the prompt itself. */
  readonly encoder?: string;
  /** One for each form that exists; at least one. */
  readonly decoders: readonly DecoderFiles[];
}

const ENCODER = 'encoder_model';
const MERGED = 'decoder_model_merged';
const FIRST = 'decoder_model';
const NEXT = 'decoder_with_past_model';
/** The name of a decoder that is the only model of its folder. */
const ALONE = 'model';

/**
 * Finds the models of a folder, in it or in its subfolder `onnx`, that generate text together: a decoder in all forms
 * that exist, and its encoder.
 * @param dtype - the name in transformers.js: `q8` for `decoder_model_merged_quantized.onnx`, `fp32` for files
 *   without a suffix
 * @returns undefined if no model of the folder is a decoder
 * @throws CompressError `io`, `malformed`, `limit` if a decoder cannot be read
 * @example const family = await findFamily('whisper-tiny', 'q8');
 */
export async function findFamily(root: string, dtype: VariantDtype = 'fp32'): Promise<Family | undefined> {
  return familyOf(root, dtype, await modelsOf(root, dtype));
}

/**
 * The models among these that generate text together.
 * @param paths - of the models, by name without the dtype
 * @returns undefined if none is a decoder
 * @throws CompressError `io`, `malformed`, `limit` for a decoder that cannot be read
 */
export async function familyOf(
  root: string,
  dtype: VariantDtype,
  paths: ReadonlyMap<string, string>,
): Promise<Family | undefined> {
  const encoder = paths.get(ENCODER);
  const decoders: DecoderFiles[] = [];
  const [merged, first, next, alone] = [MERGED, FIRST, NEXT, ALONE].map((name) => paths.get(name));
  if (merged !== undefined) decoders.push({ form: 'merged', first: merged, next: merged });
  if (first !== undefined && next !== undefined) decoders.push({ form: 'with past', first, next });
  else if (first !== undefined) decoders.push(await oneOf(first));
  if (decoders.length === 0 && alone !== undefined && (await isDecoder(alone))) {
    decoders.push({ form: 'merged', first: alone, next: alone });
  }
  if (decoders.length === 0) return undefined;
  return { root, dtype, ...(encoder === undefined ? {} : { encoder }), decoders };
}

/**
 * Finds the same models in another folder or dtype.
 * @throws CompressError `options` that names what is missing
 */
export async function sameFamily(reference: Family, root: string, dtype: VariantDtype): Promise<Family> {
  const found = await findFamily(root, dtype);
  const missing = namesOf(reference).find((name) => found === undefined || !namesOf(found).includes(name));
  if (found !== undefined && missing === undefined) return found;
  throw new CompressError('options', root, `has no ${missing ?? 'decoder'} of dtype ${dtype}`, {
    hint: `${reference.root} has one. Name the dtype of the files: \`dtype\`.`,
  });
}

function namesOf({ encoder, decoders }: Family): string[] {
  return [encoder, ...decoders.flatMap(({ first, next }) => [first, next])]
    .filter((path) => path !== undefined)
    .map((path) => partsOf(basename(path))?.name ?? path);
}

/** Paths of models by name without the dtype. The subfolder takes precedence, as in transformers.js. */
async function modelsOf(root: string, dtype: VariantDtype): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const folder of [join(root, MODEL_FOLDER), root]) {
    const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT' && folder !== root) return [];
      throw ioError(folder, cause);
    });
    for (const file of names.sort()) {
      const parts = partsOf(file);
      if (parts?.dtype === dtype && !found.has(parts.name)) found.set(parts.name, join(folder, file));
    }
  }
  return found;
}

/** A decoder in one file; with a cache it is used like a merged one. */
async function oneOf(path: string): Promise<DecoderFiles> {
  const { inputs } = await readFacts(path);
  const form = inputs.some(({ name }) => isPast(name)) ? 'merged' : 'without cache';
  return { form, first: path, next: path };
}

/** Whether a model outputs scores of a next token. One without a cache may instead classify tokens. */
async function isDecoder(path: string): Promise<boolean> {
  const { inputs, outputs } = await readFacts(path);
  return outputs.some(({ name }) => name === 'logits') && inputs.some(({ name }) => isPast(name));
}

/** Whether an input is state of earlier steps: `past_key_values.0.key`. */
export function isPast(name: string): boolean {
  return /^past[._]/.test(name) || /^past_key_values[._]/.test(name);
}
