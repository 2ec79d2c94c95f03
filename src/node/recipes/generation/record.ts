import { fittingRandomData } from '../../data/fitting.ts';
import type { DataSet, Sample } from '../../data/types.ts';
import type { Family } from './family.ts';
import { bestOf, encode, openEncoder, openSpeaker, type Speaker } from './generate.ts';
import { type Prompt, promptsOf } from './prompts.ts';
import type { Beginning, Until } from './texts.ts';

/** Number of texts, and of steps in each: the first step, and a few that are fed the state of earlier ones. */
const [TEXTS, STEPS] = [4, 4];

/**
 * The inputs of the decoders of a family when they generate text: the encoder's output for random inputs, tokens they
 * chose themselves, and state of earlier steps. With random numbers in these places a decoder would be judged on noise.
 * @returns data by the path of the model
 * @throws CompressError `runtime`, `unsupported`, `data` if the family does not run
 */
export async function recordedData(family: Family): Promise<ReadonlyMap<string, DataSet>> {
  const { prompts } = await promptsOf(family, (inputs, trial) =>
    fittingRandomData(inputs, { seed: 0, samples: TEXTS }, trial),
  );
  const samples = new Map<string, Sample[]>();
  const encoder = await openEncoder(family);
  try {
    for (const decoder of family.decoders) {
      const speaker = await openSpeaker(decoder);
      try {
        for await (const prompt of prompts()) {
          const beginning = { tokens: prompt.tokens, encoded: await encode(encoder, prompt) };
          for (const { path, ...sample } of await runsOf(speaker, prompt, beginning, { tokens: STEPS, ends: NONE })) {
            samples.set(path, [...(samples.get(path) ?? []), sample]);
          }
        }
      } finally {
        await speaker.close();
      }
    }
  } finally {
    await encoder?.release();
  }
  const what = family.encoder === undefined ? 'random prompts' : 'the encoder outputs for random inputs';
  const described = `${what}, seed 0, and the steps that follow`;
  return new Map([...samples].map(([path, list]) => [path, dataOf(described, list)]));
}

const NONE: ReadonlySet<number> = new Set();

/**
 * The runs of a decoder that generates one text, each with the path of the model.
 * @throws CompressError `runtime`, `unsupported`
 */
export async function runsOf(
  speaker: Speaker,
  { label }: Prompt,
  { tokens, encoded }: Beginning,
  until: Until,
): Promise<(Sample & { readonly path: string })[]> {
  const runs: (Sample & { readonly path: string })[] = [];
  await speaker.speak(tokens, encoded, (given, step) => {
    runs.push({ path: given.path, label: `${label}, step ${step}`, feeds: given.feeds });
    const token = bestOf(given);
    return step + 1 >= until.tokens || token === undefined || until.ends.has(token) ? undefined : token;
  });
  return runs;
}

function dataOf(description: string, list: readonly Sample[]): DataSet {
  return {
    ...{ description, count: list.length },
    async *samples() {
      yield* list;
    },
  };
}
