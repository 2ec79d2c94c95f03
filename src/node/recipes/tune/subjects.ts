import { join } from 'node:path';
import { CompressError } from '../../../errors.ts';
import type { TuneValues } from '../../../options/tune.ts';
import { defined } from '../../../options/values.ts';
import type { DataFor } from '../../data/fitting.ts';
import { openData } from '../../data/open.ts';
import { kindOf } from '../../files/kind.ts';
import { temporaryFolder } from '../../files/temporary.ts';
import { type Judge, openJudge } from '../../runtime/judge.ts';
import { findFamily } from '../generation/family.ts';
import type { Candidates } from './candidate.ts';
import { FamilySubject } from './family.ts';
import { sizeOf } from './size.ts';
import type { Candidate, Subject } from './subject.ts';

/** Options for folders of models. */
const OF_FOLDERS = ['prompts', 'tokens'] as const;

/**
 * The subject of the options: a model or a folder.
 * @param candidates - makes its candidates
 * @throws CompressError `options` if there is no data, for a folder without a decoder, and for options that apply only
 * to the other kind
 */
export async function subjectOf(values: TuneValues, candidates: Candidates): Promise<Subject> {
  const { model = '', data, prompts } = values;
  const family = (await kindOf(model)) === 'folder';
  const option = OF_FOLDERS.find((one) => values[one] !== undefined);
  if (!family && option !== undefined) {
    throw new CompressError('options', option, 'applies to a folder with a decoder, not to a model');
  }
  if (data === undefined && prompts === undefined) {
    throw new CompressError('options', 'data', 'no data is given to measure accuracy', {
      hint: family
        ? 'Give what the encoder reads, or input_ids for a decoder alone: `data: val.npz`. Or text: `prompts: FILE`.'
        : 'Give model inputs, if possible with labels: `data: val.npz`.',
    });
  }
  if (!family) return modelSubject(values, candidates);
  const found = await findFamily(model);
  if (found !== undefined) return new FamilySubject(found, values, dataOf(values), candidates);
  throw new CompressError('options', model, 'is a folder without a float decoder', {
    hint: 'Tune its models one by one.',
  });
}

/** Opens the given rows. */
function dataOf({ data = '', samples, batch }: TuneValues): DataFor {
  return (inputs) => openData(data, inputs, defined({ samples, batch }));
}

function modelSubject(values: TuneValues, candidates: Candidates): Subject {
  const { model = '', judge: output, metric } = values;
  return {
    files: [model],
    open: async () => {
      const outputs = output === undefined ? undefined : [output];
      const judge = await openJudge(model, dataOf(values), { option: 'judge', ...defined({ outputs, metric }) });
      return {
        data: judge.data,
        reference: async () => ({ judgement: await judge.judge(model), bytes: await sizeOf(model) }),
        try: (float) => tried(model, float, candidates, judge),
        close: () => judge.close(),
      };
    },
  };
}

/** Makes a model with these layers left float in a temporary folder, and judges it. */
export async function tried(
  model: string,
  float: readonly string[],
  candidates: Candidates,
  judge: Judge,
): Promise<Candidate> {
  const folder = await temporaryFolder();
  try {
    const path = join(folder.path, 'candidate.onnx');
    const made = await candidates.make(model, path, float);
    return { ...made, judgement: await judge.judge(path) };
  } finally {
    await folder.remove();
  }
}
