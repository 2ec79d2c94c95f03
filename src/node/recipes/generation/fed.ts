import { basename, dirname, resolve } from 'node:path';
import type { VariantDtype } from '../../../options/variants.ts';
import { MODEL_FOLDER, partsOf } from '../../../passes/variants/names.ts';
import type { DataFor } from '../../data/fitting.ts';
import type { DataSet, Sample } from '../../data/types.ts';
import { type DecoderFiles, type Family, findFamily } from './family.ts';
import { encode, openEncoder, openSpeaker } from './generate.ts';
import { endsOf, type Prompts, promptsOf } from './prompts.ts';
import { runsOf } from './record.ts';

/** Maximum number of steps of a text. */
const STEPS = 16;

/** A decoder, its form, and the models of its folder. */
interface Placed {
  readonly path: string;
  readonly family: Family;
  readonly form: DecoderFiles;
}

/**
 * The inputs of a decoder when the models of its folder generate text: the encoder's output for the data, tokens that
 * the decoder chose itself, and state of earlier steps. No file of rows can contain these. The texts are generated
 * again each time the data is read, so that memory holds one text at a time.
 * @param path - of a model
 * @param dataFor - opens the data for the encoder, or `input_ids` for a decoder alone
 * @returns undefined if the model is not a decoder in a folder
 * @throws CompressError `data`, `options`, `runtime`, `unsupported`
 */
export async function decoderData(path: string, dataFor: DataFor): Promise<DataSet | undefined> {
  const placed = await placeOf(path);
  if (placed === undefined) return undefined;
  const prompts = await promptsOf(placed.family, dataFor);
  return {
    description: `${prompts.description}, texts of ${STEPS} tokens at most`,
    samples: () => runs(placed, prompts),
  };
}

async function placeOf(path: string): Promise<Placed | undefined> {
  const dtype = partsOf(basename(path))?.dtype;
  if (dtype === undefined) return undefined;
  const folder = dirname(resolve(path));
  const root = basename(folder) === MODEL_FOLDER ? dirname(folder) : folder;
  const family = await findFamily(root, dtype as VariantDtype);
  if (family === undefined) return undefined;
  const form = family.decoders.find(({ first, next }) => [first, next].some((one) => resolve(one) === resolve(path)));
  return form === undefined ? undefined : { path: resolve(path), family, form };
}

async function* runs({ path, family, form }: Placed, { prompts }: Prompts): AsyncGenerator<Sample> {
  const ends = await endsOf(family.root);
  const encoder = await openEncoder(family);
  try {
    const speaker = await openSpeaker(form);
    try {
      for await (const prompt of prompts()) {
        const beginning = { tokens: prompt.tokens, encoded: await encode(encoder, prompt) };
        for (const { path: ran, ...sample } of await runsOf(speaker, prompt, beginning, { tokens: STEPS, ends })) {
          if (resolve(ran) === path) yield sample;
        }
      }
    } finally {
      await speaker.close();
    }
  } finally {
    await encoder?.release();
  }
}
