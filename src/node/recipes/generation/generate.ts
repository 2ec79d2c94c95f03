import { CompressError } from '../../../errors.ts';
import type { FeedTensor } from '../../data/types.ts';
import { largest, numbersOf } from '../../runtime/compare.ts';
import { openSession, type Session } from '../../runtime/session.ts';
import { type DecoderModel, type Encoded, isOfEncoder, openDecoder } from './decoder.ts';
import type { DecoderFiles, Family } from './family.ts';
import type { Prompt } from './prompts.ts';

/** The output of a decoder step, and its inputs. */
export interface Given {
  /** Path of the model that ran. */
  readonly path: string;
  readonly feeds: Readonly<Record<string, FeedTensor>>;
  /** Scores of the next token, `[1, 1, vocabulary]`. */
  readonly scores: FeedTensor;
}

/** Chooses the next token from the output of a step; undefined ends the text. */
export type Choose = (given: Given, step: number) => number | undefined;

/** A loaded decoder of a family, in one form. */
export interface Speaker {
  /**
   * Runs the steps of one text, each with the state of earlier steps.
   * @param prompt - the first tokens
   * @throws CompressError `runtime`, `unsupported`
   */
  speak(prompt: readonly number[], encoded: Encoded | undefined, choose: Choose): Promise<void>;
  close(): Promise<void>;
}

/** Loads a decoder. @throws CompressError `runtime`, `unsupported`, `io`, `malformed` */
export async function openSpeaker({ first, next }: DecoderFiles): Promise<Speaker> {
  const one = await openDecoder(first);
  const other =
    next === first
      ? one
      : await openDecoder(next).catch(async (cause: unknown) => {
          await one.close();
          throw cause;
        });
  return {
    speak: (prompt, encoded, choose) => speak(one, other, { prompt, encoded, choose }),
    close: async () => {
      await one.close();
      if (other !== one) await other.close();
    },
  };
}

async function speak(
  first: DecoderModel,
  next: DecoderModel,
  from: { readonly prompt: readonly number[]; readonly encoded: Encoded | undefined; readonly choose: Choose },
): Promise<void> {
  const tokens = [...from.prompt];
  let kept = new Map<string, FeedTensor>();
  let seen = 0;
  for (let step = 0; ; step++) {
    const model = step === 0 ? first : next;
    const isNew = model.hasPast ? seen : 0;
    const feeds = model.feeds({ tokens: tokens.slice(isNew), seen: isNew, encoded: from.encoded, kept });
    const { logits, kept: now } = await model.run(feeds);
    const chosen = from.choose({ path: model.path, feeds, scores: lastOf(logits, model.path) }, step);
    if (chosen === undefined) return;
    // Later steps keep what the first one computed from the encoder's output.
    const old = [...kept].filter(([name]) => isOfEncoder(name) || !now.has(name));
    kept = new Map([...now, ...old]);
    seen = tokens.length;
    tokens.push(chosen);
  }
}

/** Scores after the last token. */
function lastOf({ dtype, dims, data }: FeedTensor, path: string): FeedTensor {
  const vocabulary = dims.at(-1) ?? 0;
  if (vocabulary === 0 || data.length < vocabulary) {
    throw new CompressError('unsupported', path, `returns logits of shape [${dims.join(', ')}], which hold no score`);
  }
  return { dtype, dims: [1, 1, vocabulary], data: data.slice(data.length - vocabulary) as FeedTensor['data'] };
}

/** The token with the largest score; undefined if a score is NaN. */
export function bestOf({ scores }: Given): number | undefined {
  const numbers = numbersOf(scores);
  const best = largest(numbers, 0, numbers.length, 1);
  return best < 0 ? undefined : best;
}

/** The encoder of a family; undefined if it has none. */
export async function openEncoder({ encoder }: Family): Promise<Session | undefined> {
  return encoder === undefined ? undefined : openSession(encoder);
}

/** The encoder's result for a prompt: its first output with three axes, usually `last_hidden_state`. */
export async function encode(session: Session | undefined, { feeds }: Prompt): Promise<Encoded | undefined> {
  if (session === undefined) return undefined;
  const outputs = await session.run(feeds);
  const hidden = outputs['last_hidden_state'] ?? Object.values(outputs).find(({ dims }) => dims.length === 3);
  if (hidden === undefined) {
    throw new CompressError('unsupported', session.label, 'has no output with a sequence axis for the decoder');
  }
  const mask = feeds['attention_mask'];
  return { hidden, ...(mask === undefined ? {} : { mask }) };
}
