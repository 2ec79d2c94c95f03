import { join } from 'node:path';
import { CompressError } from '../../../errors.ts';
import { MAX_JSON_BYTES } from '../../data/json.ts';
import { readJson } from '../../data/jsonFile.ts';

/** Converts text to the tokens of a model, and back. */
export interface Tokenizer {
  encode(text: string): number[];
  decode(tokens: readonly number[]): string;
}

/**
 * The tokenizer of a model folder, run by the package @huggingface/tokenizers.
 * @returns undefined if the folder has no tokenizer.json, or the package is not installed
 * @throws CompressError `malformed`, `limit`, `io` for a broken tokenizer.json
 */
export async function openTokenizer(root: string): Promise<Tokenizer | undefined> {
  const json = await jsonOf(join(root, 'tokenizer.json'));
  if (json === undefined) return undefined;
  const loaded = await import('@huggingface/tokenizers').catch(() => undefined);
  if (loaded === undefined) return undefined;
  const config = (await jsonOf(join(root, 'tokenizer_config.json'))) ?? {};
  try {
    const tokenizer = new loaded.Tokenizer(json, config);
    return {
      encode: (text) => tokenizer.encode(text).ids,
      decode: (tokens) => tokenizer.decode([...tokens], { skip_special_tokens: true }),
    };
  } catch (cause) {
    throw new CompressError('malformed', join(root, 'tokenizer.json'), 'is not a tokenizer', { cause });
  }
}

/**
 * A JSON file that may not exist.
 * @throws CompressError `malformed` if it is not an object, `limit`, `io`
 */
export async function jsonOf(path: string): Promise<Record<string, unknown> | undefined> {
  const json = await readJson(
    path,
    MAX_JSON_BYTES,
    (byteLength) => new CompressError('limit', path, `has ${byteLength} bytes; at most ${MAX_JSON_BYTES} are read`),
    (cause) => new CompressError('malformed', path, `is not JSON: ${cause.message}`, { cause }),
  ).catch((cause: unknown) => {
    if (cause instanceof CompressError && (cause.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
      return undefined;
    throw cause;
  });
  if (json === undefined) return undefined;
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  throw new CompressError('malformed', path, 'is not a JSON object');
}
