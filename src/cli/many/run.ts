import { dirname } from 'node:path';
import { CompressError } from '../../errors.ts';
import { makeFolder } from '../../node/files/madeFolders.ts';
import type { StepValues } from '../../options/common.ts';
import type { InspectValues } from '../../options/look.ts';
import type { VerifyValues } from '../../options/measure.ts';
import type { AnyTable } from '../../options/option.ts';
import type { Colors, Command } from '../command.ts';
import type { GivenOptions } from '../config/given.ts';
import type { Streams } from '../pipe.ts';
import { progress } from '../progress.ts';
import { columnsOf } from '../text.ts';
import { copyOthers } from './copy.ts';
import { childWorker, runAll, type TaskWorker } from './crew.ts';
import { type Jobs, jobsFor } from './jobs.ts';
import { pairsOf } from './pairs.ts';
import { type Load, runTask, type Task } from './task.ts';
import { Teller } from './tell.ts';
import { clashing, weightsOf } from './weights.ts';

/** Where reports go, and how verbs are loaded. */
export interface Surroundings {
  readonly streams: Streams;
  readonly colors: Colors;
  readonly load: Load;
}

type Values = StepValues & Partial<VerifyValues> & Pick<InspectValues, 'graph' | 'format'>;

/**
 * Runs a verb for each of several models. A model that fails does not stop the others; the exit code is then 1.
 * @param models - as the command line names them
 * @throws CompressError before any model is read, if the command line is invalid
 */
export async function runMany(
  { verb, table, row }: Command<object>,
  told: GivenOptions,
  models: readonly string[],
  { streams, colors, load }: Surroundings,
): Promise<void> {
  const values: Values = told.run;
  const json = values.json === true || values.format === 'json';
  const { quiet = false, verbose = false, dryRun = false } = values;
  refusePerModel(table, values);
  const writes = 'output' in table.rows && row === undefined;
  const { reference, other } = values;
  const { jobs, whole, notes }: Jobs =
    reference !== undefined && other !== undefined
      ? await pairsOf(reference, other)
      : await jobsFor(verb, values, models, writes);
  const weights = await weightsOf(jobs);
  const external = values.embed || values.externalData ? new Set() : clashing(jobs, weights);
  const columns = { stdout: columnsOf(streams.stdout), stderr: columnsOf(streams.stderr) };
  const csv = values.format === 'csv';
  const nameless = values.graph === true && values.format !== 'md';
  const text = values.graph === true || verbose || values.format === 'md' || csv;
  // A model folder in which one model is missing would be useless.
  const kept =
    whole !== undefined && ('allowUnchanged' in table.rows || verb === 'run') ? { allowUnchanged: true } : {};
  // With --from-model, the first positional is the folder, not a recipe.
  const unnamed = 'fromModel' in values && values.fromModel !== undefined ? { recipe: undefined } : {};
  const tasks: Task[] = [];
  for (const job of jobs) {
    const own = await told.valuesFor(job.input);
    refuseOneRecipe(values, told);
    const asJson = row === undefined || json || !text;
    const data = external.has(job) ? { externalData: true } : {};
    tasks.push({ verb, colors, columns, values: { ...own, ...kept, ...data, ...unnamed, ...job.given, json: asJson } });
  }
  const targets = jobs.flatMap(({ given }) => [(given as Values).output, (given as Values).report]);
  const folders = targets.flatMap((one) => (one === undefined ? [] : [dirname(one)]));
  if (!dryRun) for (const one of new Set(folders)) await makeFolder(one);
  const teller = new Teller({ json, quiet, verbose, dryRun, whole: text, nameless, csv, row }, streams, colors);
  const parallel = Math.min(values.jobs ?? 1, tasks.length);
  const workers: TaskWorker[] =
    parallel > 1
      ? Array.from({ length: parallel }, childWorker)
      : [{ run: (task) => runTask(task, load), close: () => {} }];
  const bar = parallel > 1 ? progress('models', quiet) : undefined;
  await runAll(tasks, workers, (outcome, index) => {
    teller.tell(jobs[index] as Jobs['jobs'][number], outcome);
    bar?.(index + 1, tasks.length);
  });
  const copied = whole === undefined || dryRun ? undefined : await copyOthers(whole, weights, values.force === true);
  teller.end(copied?.copied, [...notes, ...(copied?.notes ?? [])]);
  const exit = (copied?.notes.length ?? 0) > 0 ? 1 : teller.exit();
  if (exit !== 0) process.exitCode = exit;
}

/** Refuses to save one recipe for models that have options of their own. */
function refuseOneRecipe({ saveRecipe }: StepValues, { beside }: GivenOptions): void {
  const [path] = beside;
  if (saveRecipe === undefined || path === undefined) return;
  throw new CompressError('options', 'saveRecipe', `one recipe cannot hold what ${path} says of its models alone`, {
    hint: `Name a file for all of them, \`config: ${path}\`, or take none with \`noConfig\`.`,
  });
}

/** Refuses the name of a file that every model would overwrite. */
function refusePerModel({ rows }: AnyTable, values: object): void {
  for (const key of Object.keys(values)) {
    const own = key === 'resume' || rows[key]?.kind === 'target';
    if (!own || ['output', 'report', 'saveRecipe'].includes(key)) continue;
    throw new CompressError('options', key, 'it applies to a single model, and several were given', {
      hint: 'Give one model at a time.',
    });
  }
}
