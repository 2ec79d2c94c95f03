import { dirname, relative, resolve } from 'node:path';
import { CompressError, knownError } from '../../errors.ts';
import { dataFilesOf } from '../../node/files/dataFiles.ts';
import { readModel } from '../../node/model.ts';
import type { Job } from './jobs.ts';

/** The data files of each input model, by the model's path; none for a model that cannot be read. */
export type Weights = ReadonlyMap<string, readonly string[]>;

/** Finds the data files of the input models. */
export async function weightsOf(jobs: readonly Job[]): Promise<Weights> {
  const weights = new Map<string, readonly string[]>();
  for (const { input, output } of jobs) {
    const files = output === undefined ? undefined : await dataFilesAt(input);
    if (files !== undefined) weights.set(input, files);
  }
  return weights;
}

/** Paths of a model's data files; undefined if the model cannot be read, which its own run reports. */
async function dataFilesAt(path: string): Promise<readonly string[] | undefined> {
  const model = await readModel(path).catch((cause: unknown) => {
    if (knownError(cause) === undefined) throw cause;
    return undefined;
  });
  if (model === undefined) return undefined;
  try {
    return dataFilesOf(model, path);
  } finally {
    await model.close();
  }
}

/** A data file that a job may write: a copy of one that its model reads, or the one named after its output. */
interface Claim {
  readonly job: Job;
  readonly from: string;
  readonly to: string;
}

/**
 * The jobs whose outputs need data files of their own. An unchanged model keeps the names of its data files; a changed
 * one gets a file named after it. If two models would write different bytes to one file, neither keeps the names.
 * @throws CompressError `options` if a job could overwrite a data file that another one reads
 */
export function clashing(jobs: readonly Job[], weights: Weights): ReadonlySet<Job> {
  const claims = jobs.flatMap((job) => claimsOf(job, weights.get(job.input) ?? []));
  const byPath = new Map<string, Claim[]>();
  for (const one of claims) byPath.set(one.to, [...(byPath.get(one.to) ?? []), one]);
  const others = ({ job, from, to }: Claim): Claim[] =>
    (byPath.get(to) ?? []).filter((one) => one.job !== job && one.from !== from);
  for (const { job, from } of claims) {
    const writer = byPath.get(from)?.find((one) => one.job !== job && one.from !== from);
    if (writer === undefined) continue;
    throw new CompressError(
      'options',
      from,
      `is a data file of ${job.input}, and may be overwritten for ${writer.job.input}`,
      {
        hint: 'Name another folder.',
      },
    );
  }
  return new Set(claims.filter((one) => others(one).length > 0).map(({ job }) => job));
}

function claimsOf(job: Job, files: readonly string[]): Claim[] {
  const { input, output } = job;
  if (output === undefined || files.length === 0) return [];
  const [folder, target] = [dirname(resolve(input)), resolve(output)];
  const kept = files.map((from) => ({ job, from, to: resolve(dirname(target), relative(folder, from)) }));
  return [...kept, { job, from: resolve(input), to: `${target}.data` }];
}
