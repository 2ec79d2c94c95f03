import { CompressError } from '../../../errors.ts';
import { OutputComparison } from '../../runtime/compare.ts';
import { JUDGE_DEFAULTS, type Judgement } from '../../runtime/judge.ts';
import type { Session } from '../../runtime/session.ts';
import type { Encoded } from '../generation/decoder.ts';
import type { DecoderFiles, Family } from '../generation/family.ts';
import { encode, openEncoder, openSpeaker, type Speaker } from '../generation/generate.ts';
import { endsOf, type Prompt, type Prompts } from '../generation/prompts.ts';
import { compareAlong, SCORES, type Text, textOf, type Until } from '../generation/texts.ts';

/** Compares families with the same float one, along the texts of the float one. */
export class FamilyJudge {
  /** The inputs of the families. */
  readonly data: string;
  readonly #prompts: Prompts;
  readonly #until: Until;
  readonly #encoder: Session | undefined;
  readonly #decoders: readonly { readonly files: DecoderFiles; readonly texts: Texts }[];

  private constructor(prompts: Prompts, until: Until, encoder: Session | undefined, family: Family) {
    this.data = `${prompts.description}, texts of ${until.tokens} tokens at most`;
    this.#prompts = prompts;
    this.#until = until;
    this.#encoder = encoder;
    this.#decoders = family.decoders.map((files) => ({ files, texts: new Texts() }));
  }

  /** @throws CompressError `runtime`, `io`, `malformed` */
  static async open(reference: Family, prompts: Prompts, tokens: number): Promise<FamilyJudge> {
    const ends = await endsOf(reference.root);
    return new FamilyJudge(prompts, { tokens, ends }, await openEncoder(reference), reference);
  }

  /**
   * Runs a family along the texts; its decoder gets the output of its own encoder.
   * @returns the scores in each form of the decoder, and the mean time of a text
   * @throws CompressError `runtime`, `unsupported`, `data` if there is no prompt
   */
  async judge(family: Family): Promise<Judgement> {
    const encoder = await openEncoder(family);
    const outputs: OutputComparison[] = [];
    const total = { samples: 0, ms: 0 };
    try {
      for (const [at, { files, texts }] of this.#decoders.entries()) {
        const judged = family.decoders[at] as DecoderFiles;
        const comparison = new OutputComparison(SCORES, true);
        const speaker = await openSpeaker(judged);
        try {
          let index = 0;
          for await (const prompt of this.#prompts.prompts()) {
            const text = await texts.of(index++, () => this.#write(files, prompt));
            const start = performance.now();
            const encoded = await encode(encoder, prompt);
            await compareAlong(speaker, { tokens: prompt.tokens, encoded }, text, comparison);
            total.ms += performance.now() - start;
            total.samples++;
          }
        } finally {
          await speaker.close();
        }
        outputs.push(comparison);
      }
    } finally {
      await encoder?.release();
    }
    const { samples, ms } = total;
    if (samples === 0) throw new CompressError('data', this.data, 'there is no prompt to compare on');
    return { outputs: outputs.map((one) => one.figures()), samples, ms: ms / samples };
  }

  async close(): Promise<void> {
    await this.#encoder?.release();
  }

  /** The text of the float family. */
  async #write(files: DecoderFiles, prompt: Prompt): Promise<Text> {
    const encoded: Encoded | undefined = await encode(this.#encoder, prompt);
    const speaker: Speaker = await openSpeaker(files);
    try {
      return await textOf(speaker, { tokens: prompt.tokens, encoded }, this.#until);
    } finally {
      await speaker.close();
    }
  }
}

/** Texts of the reference, kept while there is room for their scores. */
class Texts {
  readonly #kept = new Map<number, Text>();
  #room = JUDGE_DEFAULTS.cacheBytes;

  /** @param index - of the prompt; prompts come in the same order each time */
  async of(index: number, write: () => Promise<Text>): Promise<Text> {
    const kept = this.#kept.get(index);
    if (kept !== undefined) return kept;
    const text = await write();
    this.#room -= text.scores.reduce((sum, one) => sum + one.data.byteLength, 0);
    if (this.#room >= 0) this.#kept.set(index, text);
    return text;
  }
}
