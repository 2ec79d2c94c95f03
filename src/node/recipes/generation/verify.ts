import { basename } from 'node:path';
import { CompressError } from '../../../errors.ts';
import { checkShape } from '../../../options/check.ts';
import { TOKENS, VERIFY } from '../../../options/measure.ts';
import { OutputComparison, type OutputFigures, type Share } from '../../runtime/compare.ts';
import type { Session } from '../../runtime/session.ts';
import type { Encoded } from './decoder.ts';
import type { DecoderFiles, Family } from './family.ts';
import { encode, openEncoder, openSpeaker, type Speaker } from './generate.ts';
import { endsOf, type Prompt, type Prompts } from './prompts.ts';
import { type Beginning, compareAlong, SCORES, textOf, type Until } from './texts.ts';

/** The texts that two families generate from the same prompt. */
export interface Texts {
  readonly prompt: string;
  /** Tokens after the prompt, the most likely one at each step. */
  readonly reference: readonly number[];
  readonly other: readonly number[];
  /** Number of equal tokens before the first that differs. */
  readonly same: number;
}

/** How close a decoder of one family is to that of the other, in one form. */
export interface DecoderReport {
  readonly form: DecoderFiles['form'];
  /** Names of the judged files. */
  readonly files: readonly string[];
  /** The scores of the next token along the reference's text, with the outputs of the reference's encoder. */
  readonly logits: OutputFigures;
  /** The same with the outputs of the judged encoder; absent if there is no encoder. */
  readonly together?: OutputFigures;
  /** How many of the texts are equal to the end. */
  readonly sameTexts: Share;
  readonly texts: readonly Texts[];
}

/** The result of {@link verifyFamily}. */
export interface FamilyReport {
  /** The folders. */
  readonly reference: string;
  readonly other: string;
  /** The dtype of the judged files, as named in transformers.js. */
  readonly dtype: string;
  readonly data: string;
  /** Maximum number of tokens in a text. */
  readonly tokens: number;
  /** Figures of the encoder's output; absent if there is no encoder. */
  readonly encoder?: OutputFigures;
  readonly decoders: readonly DecoderReport[];
}

/** Options of {@link verifyFamily}. */
export interface FamilyOptions {
  /** Maximum number of tokens in a text; 32 if omitted. */
  readonly tokens?: number;
  /** Called after each text that both families have generated. */
  readonly onProgress?: (done: number) => void;
}

/**
 * Compares the models of two folders that generate text together: the outputs of the encoders, the scores of each next
 * token along the reference's text, and the texts that both generate with the most likely token at each step. Each form
 * of the decoder is judged: with a cache, merged, without a cache.
 *
 * @param reference - the family to compare with
 * @param other - the judged family, from {@link sameFamily}
 * @param prompts - made for the reference
 * @throws CompressError `data` if there are no prompts, `options`, `unsupported`, `runtime`
 * @example
 * const float = await findFamily('exported');
 * if (float === undefined) throw new Error('no model in this folder generates text');
 * const prompts = await promptsOf(float, (inputs) => openData('rows.npz', inputs));
 * const report = await verifyFamily(float, await sameFamily(float, 'repository', 'q8'), prompts);
 * for (const { form, logits, sameTexts } of report.decoders) console.log(form, logits.sqnr, sameTexts);
 */
export async function verifyFamily(
  reference: Family,
  other: Family,
  { prompts, description }: Prompts,
  options: FamilyOptions = {},
): Promise<FamilyReport> {
  checkShape('verifyFamily', options, { tokens: VERIFY.rows.tokens, onProgress: 'function' });
  const { tokens = TOKENS, onProgress = () => {} } = options;
  const ends = await endsOf(reference.root);
  const encoders = await openBoth(
    () => openEncoder(reference),
    () => openEncoder(other),
  );
  const hidden = new OutputComparison({ name: 'encoder' }, false);
  const decoders: DecoderReport[] = [];
  let done = 0;
  try {
    for (const right of reference.decoders) {
      const judged = other.decoders.find((one) => one.form === right.form);
      if (judged === undefined) throw new CompressError('options', other.root, `has no decoder ${right.form}`);
      const speakers = await openBoth(
        () => openSpeaker(right),
        () => openSpeaker(judged),
      );
      const found = new Found();
      try {
        for await (const prompt of prompts()) {
          const encoded = await encodeBoth(encoders, prompt);
          if (encoded !== undefined && decoders.length === 0) hidden.add(encoded[0].hidden, encoded[1].hidden);
          await found.add(speakers, prompt, encoded, { tokens, ends });
          onProgress(++done);
        }
      } finally {
        await Promise.all(speakers.map((one) => one.close()));
      }
      if (found.texts.length === 0) throw new CompressError('data', description, 'there is no prompt to compare on');
      decoders.push(found.report(judged));
    }
  } finally {
    await Promise.all(encoders.map((one) => one?.release()));
  }
  return {
    ...{ reference: reference.root, other: other.root, dtype: other.dtype, data: description, tokens },
    ...(reference.encoder === undefined ? {} : { encoder: hidden.figures() }),
    decoders,
  };
}

/** Collects the results of one form of the decoder. */
class Found {
  readonly texts: Texts[] = [];
  readonly #logits = new OutputComparison(SCORES, true);
  readonly #together = new OutputComparison(SCORES, true);
  #hasEncoder = false;

  async add(
    [right, judged]: readonly [Speaker, Speaker],
    prompt: Prompt,
    encoded: readonly [Encoded, Encoded] | undefined,
    until: Until,
  ): Promise<void> {
    const { tokens } = prompt;
    const [float, small]: [Beginning, Beginning] = [
      { tokens, encoded: encoded?.[0] },
      { tokens, encoded: encoded?.[1] },
    ];
    const text = await textOf(right, float, until);
    await compareAlong(judged, float, text, this.#logits);
    if (encoded !== undefined) await compareAlong(judged, small, text, this.#together);
    this.#hasEncoder ||= encoded !== undefined;
    const { tokens: reference } = text;
    const { tokens: other } = await textOf(judged, small, until);
    const differs = reference.findIndex((one, at) => one !== other[at]);
    const same = differs === -1 ? reference.length : differs;
    this.texts.push({ prompt: prompt.label, reference, other, same });
  }

  report({ form, first, next: later }: DecoderFiles): DecoderReport {
    const equal = this.texts.filter(({ reference, other, same }) => same === Math.max(reference.length, other.length));
    return {
      form,
      files: [...new Set([first, later])].map((path) => basename(path)),
      logits: this.#logits.figures(),
      ...(this.#hasEncoder ? { together: this.#together.figures() } : {}),
      sameTexts: { count: equal.length, of: this.texts.length },
      texts: this.texts,
    };
  }
}

async function encodeBoth(
  [right, judged]: readonly [Session | undefined, Session | undefined],
  prompt: Prompt,
): Promise<readonly [Encoded, Encoded] | undefined> {
  const encoded = [await encode(right, prompt), await encode(judged, prompt)] as const;
  const [a, b] = encoded;
  return a === undefined || b === undefined ? undefined : [a, b];
}

/** Opens two things; if the second fails, the first is closed. */
async function openBoth<T extends { close(): Promise<void> } | Session | undefined>(
  first: () => Promise<T>,
  second: () => Promise<T>,
): Promise<readonly [T, T]> {
  const one = await first();
  try {
    return [one, await second()];
  } catch (cause) {
    await (one !== undefined && 'release' in one ? one.release() : one?.close());
    throw cause;
  }
}
