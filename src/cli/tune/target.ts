import { dirname, join, resolve } from 'node:path';
import { kindOf } from '../../node/files/kind.ts';
import { makeFolder } from '../../node/files/madeFolders.ts';
import { checkTarget } from '../../node/files/sink.ts';
import type { Step } from '../../node/recipes/runStep.ts';
import type { Subject } from '../../node/recipes/tune/subject.ts';
import type { TuneValues } from '../../options/tune.ts';
import { commonOf } from '../arguments.ts';
import { copyOthers } from '../many/copy.ts';
import { type Jobs, jobsFor, type WholeFolder } from '../many/jobs.ts';
import { clashing, weightsOf } from '../many/weights.ts';
import { outputOf } from '../output.ts';
import { pipe, type Streams, writeNotes } from '../pipe.ts';

/** Where the result goes. */
export interface Target {
  /**
   * Writes the tuned models.
   * @param stepsFor - returns the steps for the model at a path
   * @returns what was written, for people
   */
  write(stepsFor: (model: string) => Promise<readonly Step[]>, streams: Streams): Promise<string | undefined>;
}

/**
 * Where to write the result: a file for a model, or for a folder another folder with all its contents. Refuses now what
 * would otherwise be refused after the search, which takes long.
 * @returns undefined if nothing is to be written
 * @throws CompressError `options`, `exists`, `io`
 */
export async function targetOf(args: TuneValues, subject: Subject, streams: Streams): Promise<Target | undefined> {
  const { model = '', output, dryRun, force = false } = args;
  if (output === undefined) return undefined;
  if ((await kindOf(model)) === 'folder') return folderTarget(args, subject, output);
  const target = outputOf(args, streams);
  if (target !== undefined && !dryRun) await checkTarget(target, force);
  return { write: async (stepsFor) => (await pipe(commonOf(args), streams, await stepsFor(model))).output };
}

async function folderTarget(args: TuneValues, { files }: Subject, output: string): Promise<Target> {
  const { model = '', dryRun, force = false } = args;
  const tuned = new Set(files.map((path) => resolve(path)));
  const { jobs: all, whole }: Jobs = await jobsFor('tune', args, [model], true);
  const jobs = all.filter(({ input }) => tuned.has(resolve(input)));
  for (const { output: to } of dryRun ? [] : jobs) {
    await makeFolder(dirname(to ?? output));
    await checkTarget(to ?? output, force);
  }
  return {
    write: async (stepsFor, streams) => {
      const weights = await weightsOf(jobs);
      const external = args.embed || args.externalData ? new Set() : clashing(jobs, weights);
      for (const job of jobs) {
        const data = external.has(job) ? { externalData: true } : {};
        await pipe(
          { ...commonOf(args), ...data, model: job.input, output: job.output },
          streams,
          await stepsFor(job.input),
        );
      }
      if (whole !== undefined) {
        const { notes } = await copyOthers(withoutTuned(whole, tuned), weights, force);
        writeNotes(notes, streams);
      }
      return output;
    },
  };
}

/** The folder, with models that are not tuned among the files that are copied unchanged. */
function withoutTuned(whole: WholeFolder, tuned: ReadonlySet<string>): WholeFolder {
  const isTuned = (name: string): boolean => tuned.has(resolve(join(whole.from, name)));
  const models = whole.models.filter(isTuned);
  return { ...whole, models, others: [...whole.others, ...whole.models.filter((name) => !isTuned(name))] };
}
