import { fittingRandomData } from '../../data/fitting.ts';
import type { DataSet, Sample } from '../../data/types.ts';
import type { Family } from './family.ts';
import { bestOf, encode, openEncoder, openSpeaker } from './generate.ts';
import { promptsOf } from './prompts.ts';

/** Texts, and steps of each: with the first one, and some that are fed what earlier ones kept. */
const [TEXTS, STEPS] = [4, 4];

/**
 * What the decoders of a family are fed when they write: the encoder outputs for random inputs, tokens they chose
 * themselves, and what earlier steps kept. With other numbers in these places a decoder is judged on noise.
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
          await speaker.speak(prompt.tokens, await encode(encoder, prompt), (given, step) => {
            const { path, feeds } = given;
            samples.set(path, [...(samples.get(path) ?? []), { label: `${prompt.label}, step ${step}`, feeds }]);
            return step + 1 < STEPS ? bestOf(given) : undefined;
          });
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

function dataOf(description: string, list: readonly Sample[]): DataSet {
  return {
    ...{ description, count: list.length },
    async *samples() {
      yield* list;
    },
  };
}
