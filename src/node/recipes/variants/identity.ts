import { createHash } from 'node:crypto';
import { CompressError } from '../../../errors.ts';
import type { Model } from '../../../ir/model.ts';
import { modelOrigins } from '../../../onnx/origin.ts';
import type { VariantDtype } from '../../../options/variants.ts';
import { plainStep } from '../../../passes/recipe.ts';
import { VARIANT_KEY } from '../../../passes/variants/names.ts';
import { VARIANT_STEPS } from '../../../passes/variants/settings.ts';
import { readModel } from '../../model.ts';
import { ownVersion } from '../../version.ts';
import { addSource } from '../digest.ts';
import type { Settings } from './options.ts';

/** Maximum bytes of a note; a longer one is not ours. */
const MAX_NOTE_BYTES = 4096;

/**
 * SHA-256 of a model's files: of the model, then of its data files in the order of their names. A float model that we
 * wrote has the weights of its original, so it has the digest of the original.
 */
export async function digestOf(model: Model): Promise<string> {
  const known = originalOf(await noteOf(model));
  if (known !== undefined) return known;
  const origin = modelOrigins.get(model);
  const hash = createHash('sha256');
  const data = [...(origin?.dataFiles ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, source]) => source);
  for (const source of [origin?.source, ...data]) if (source !== undefined) await addSource(hash, source);
  return hash.digest('hex');
}

/** The note of a variant; equal notes mean equal files. Another version may give other bytes for the same steps. */
export function identityOf(digest: string, dtype: VariantDtype, { externalData, chunkBytes }: Settings): string {
  const steps = VARIANT_STEPS[dtype].map(plainStep);
  return JSON.stringify({ sha256: digest, dtype, steps, externalData, chunkBytes, version: ownVersion() });
}

/** The existing model of a file, if it is complete and has this note; otherwise undefined. */
export async function madeAt(path: string, identity: string): Promise<Model | undefined> {
  const model = await modelAt(path);
  if (model === undefined || (await noteOf(model)) === identity) return model;
  await model.close();
  return undefined;
}

/** Whether a file is a float model that we wrote next to its variants. */
export async function isCopy(path: string): Promise<boolean> {
  const model = await modelAt(path);
  try {
    return model !== undefined && originalOf(await noteOf(model)) !== undefined;
  } finally {
    await model?.close();
  }
}

async function modelAt(path: string): Promise<Model | undefined> {
  try {
    return await readModel(path);
  } catch (cause) {
    if (cause instanceof CompressError) return undefined;
    throw cause;
  }
}

async function noteOf(model: Model): Promise<string | undefined> {
  const noted = model.metadata.find((one) => one.key === VARIANT_KEY)?.value;
  if (noted === undefined || noted.byteLength > MAX_NOTE_BYTES) return undefined;
  return new TextDecoder().decode(await noted.load());
}

/** The digest of a float model's original, from its note. */
function originalOf(note: string | undefined): string | undefined {
  return /^\{"sha256":"([0-9a-f]{64})","dtype":"fp32"/.exec(note ?? '')?.[1];
}
