import { createHash } from 'node:crypto';
import type { Source } from '../../../bytes/source.ts';
import { CompressError } from '../../../errors.ts';
import type { Model } from '../../../ir/model.ts';
import { modelOrigins } from '../../../onnx/origin.ts';
import type { VariantDtype } from '../../../options/variants.ts';
import { formatRecipe } from '../../../passes/recipe.ts';
import { VARIANT_STEPS } from '../../../passes/variants/settings.ts';
import { readModel } from '../../model.ts';
import type { Settings } from './options.ts';

/** Under this key a variant notes in its metadata what it was made of, and how. */
export const VARIANT_KEY = 'onnx_compress.variant';

/** Bytes that are read at a time. */
const PIECE = 1 << 22;

/** SHA-256 of a model's files: that of the model, then those of its weights in the order of their names. */
export async function digestOf(model: Model): Promise<string> {
  const origin = modelOrigins.get(model);
  const hash = createHash('sha256');
  const data = [...(origin?.dataFiles ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, source]) => source);
  for (const source of [origin?.source, ...data]) if (source !== undefined) await addTo(hash, source);
  return hash.digest('hex');
}

async function addTo(hash: { update(bytes: Uint8Array): unknown }, source: Source): Promise<void> {
  for (let at = 0; at < source.byteLength; at += PIECE) {
    hash.update(await source.read(at, Math.min(at + PIECE, source.byteLength)));
  }
}

/** What a variant notes: two that note the same are the same. */
export function identityOf(digest: string, dtype: VariantDtype, { externalData, chunkBytes }: Settings): string {
  const { steps } = JSON.parse(formatRecipe({ steps: VARIANT_STEPS[dtype] })) as { steps: unknown };
  return JSON.stringify({ sha256: digest, dtype, steps, externalData, chunkBytes });
}

/** Whether a file is there, whole with its data files, and notes this. */
export async function isMade(path: string, identity: string): Promise<boolean> {
  let model: Model;
  try {
    model = await readModel(path);
  } catch (cause) {
    if (cause instanceof CompressError) return false;
    throw cause;
  }
  try {
    const noted = model.metadata.find((one) => one.key === VARIANT_KEY);
    return noted !== undefined && new TextDecoder().decode(await noted.value.load()) === identity;
  } finally {
    await model.close();
  }
}
