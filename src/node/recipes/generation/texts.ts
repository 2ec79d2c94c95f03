import type { OutputComparison } from '../../runtime/compare.ts';
import type { Encoded } from './decoder.ts';
import { bestOf, type Given, type Speaker } from './generate.ts';

/** Where a text ends: after this many tokens, or with one of these. */
export interface Until {
  readonly tokens: number;
  readonly ends: ReadonlySet<number>;
}

/** The start of a decoder's text. */
export interface Beginning {
  readonly tokens: readonly number[];
  readonly encoded: Encoded | undefined;
}

/** A text, and the scores that each token was chosen by. */
export interface Text {
  readonly tokens: readonly number[];
  /** One more than there are tokens if a score was NaN. */
  readonly scores: readonly Given['scores'][];
}

/** How scores of a next token are compared. */
export const SCORES = { name: 'logits', classes: { axis: -1 } } as const;

/** The text that a decoder generates: the likeliest token at each step. */
export async function textOf(speaker: Speaker, { tokens: prompt, encoded }: Beginning, until: Until): Promise<Text> {
  const tokens: number[] = [];
  const scores: Given['scores'][] = [];
  await speaker.speak(prompt, encoded, (given) => {
    scores.push(given.scores);
    const token = bestOf(given);
    // Without a token, the text ends.
    if (token === undefined) return undefined;
    tokens.push(token);
    return until.ends.has(token) || tokens.length >= until.tokens ? undefined : token;
  });
  return { tokens, scores };
}

/** Runs a decoder along an existing text, and compares the scores of each next token. */
export async function compareAlong(
  speaker: Speaker,
  { tokens: prompt, encoded }: Beginning,
  { tokens, scores }: Text,
  comparison: OutputComparison,
): Promise<void> {
  await speaker.speak(prompt, encoded, (given, step) => {
    comparison.add(scores[step] as Given['scores'], given.scores);
    return step + 1 < scores.length ? tokens[step] : undefined;
  });
}
