import { basename, dirname, join, relative, resolve } from 'node:path';
import { CompressError } from '../../errors.ts';
import { expand, isPattern } from '../../node/files/glob.ts';
import { kindOf } from '../../node/files/kind.ts';
import { contentOf } from '../../node/files/modelFolder.ts';
import type { CommonValues, ManyValues } from '../../options/common.ts';
import { CONFIG_NAME } from '../../options/config.ts';
import { PROGRAM, type Verb } from '../../options/verbs.ts';
import { DASH } from '../arguments.ts';
import { isStdout } from '../output.ts';

/** One run of a verb. */
export interface Job {
  /** The input as the command line names it. */
  readonly input: string;
  /** The output; undefined for verbs that only report, and if nothing is written. */
  readonly output?: string | undefined;
  /** The values of this job alone. */
  readonly given: object;
}

/** A folder that is copied whole, and its contents other than models. */
export interface WholeFolder {
  readonly from: string;
  readonly to: string;
  /** Paths relative to the folder. */
  readonly models: readonly string[];
  readonly others: readonly string[];
}

/** What a command line names. */
export interface Jobs {
  readonly jobs: readonly Job[];
  readonly whole?: WholeFolder;
  /** Sentences about inputs that have no job. */
  readonly notes: readonly string[];
}

type Values = CommonValues & ManyValues;

/** A model, and its name in the output folder. */
interface Found {
  readonly path: string;
  readonly name: string;
}

/**
 * A job for each model that the arguments name, in their order: a file, a pattern, or a folder. Outputs have the names
 * of their models, and those of a folder keep its structure.
 * @param writes - whether the verb writes models
 * @throws CompressError `options` if two outputs would have the same name, or an output would overwrite an input;
 *   `io`
 */
export async function jobsFor(verb: Verb, values: Values, models: readonly string[], writes: boolean): Promise<Jobs> {
  const { output, report, recursive = false } = values;
  const found: Found[] = [];
  let whole: WholeFolder | undefined;
  for (const one of models) {
    if ((await kindOf(one)) !== 'folder') {
      found.push(...(await filesOf(one)).map((path) => ({ path, name: basename(path) })));
      continue;
    }
    if (!recursive && models.length > 1) {
      throw new CompressError('options', one, 'is a folder', { hint: '--recursive compresses the models in it.' });
    }
    const content = await contentOf(one, output);
    if (content.models.length === 0) throw new CompressError('io', one, 'there is no .onnx file in this folder');
    // The config file says how models are made; it is not part of the result.
    const others = content.others.filter((name) => basename(name) !== CONFIG_NAME);
    // With several folders, each keeps its name: their models often have the same names.
    const under = models.length === 1 ? '' : basename(resolve(one));
    found.push(...content.models.map((name) => ({ path: join(one, name), name: join(under, name) })));
    if (!recursive && writes && output !== undefined) whole = { from: one, to: output, ...content, others };
  }
  const unique = [...new Map(found.map((one) => [resolve(one.path), one])).values()];
  if (writes) await refuseOutput(verb, values, unique.length);
  const jobs = unique.map(({ path, name }): Job => {
    const to = writes && output !== undefined ? join(output, name) : undefined;
    const page = report === undefined ? {} : { report: join(report, `${name.replace(/\.onnx$/i, '')}.html`) };
    return { input: path, output: to, given: { model: path, output: to, ...page } };
  });
  refuseClashes(jobs);
  return { jobs, ...(whole === undefined ? {} : { whole }), notes: [] };
}

/** The files of an argument that is not a folder. */
async function filesOf(argument: string): Promise<string[]> {
  if (argument === '') {
    throw new CompressError('options', 'model', 'a file name is empty', { hint: 'Is a variable of the script empty?' });
  }
  if (argument === DASH) {
    throw new CompressError('options', '', 'standard input cannot be combined with files', {
      hint: 'Give either files or standard input.',
    });
  }
  if (!isPattern(argument) || (await kindOf(argument)) === 'file') return [argument];
  const paths = await expand(argument);
  if (paths.length === 0) throw new CompressError('io', argument, 'no file matches');
  return paths;
}

/** Refuses an output that is not a folder, if one is needed. */
async function refuseOutput(verb: Verb, { output, report, dryRun }: Values, models: number): Promise<void> {
  const hint = `For example: ${PROGRAM} ${verb} … -o small/.`;
  const are = models === 1 ? 'the model goes' : `${models} models go`;
  const wrong = (where: string, fact: string): CompressError => new CompressError('options', where, fact, { hint });
  if (output === undefined && !dryRun) throw wrong('', `${are} to a folder, and none is named`);
  if (output === '') throw wrong('output', 'the folder name is empty');
  if (output === '-' || (output !== undefined && isStdout(output))) {
    throw wrong('output', `${are} to a folder, not to standard output`);
  }
  const kind = output === undefined ? 'nothing' : await kindOf(output);
  if (kind === 'file' || (kind === 'nothing' && /\.onnx$/i.test(output ?? ''))) {
    throw wrong('output', `${are} to a folder, and '${output}' is a file`);
  }
  if (report === undefined) return;
  const page = await kindOf(report);
  if (report !== '' && page !== 'file' && !/\.html?$/i.test(report)) return;
  throw new CompressError('options', 'report', 'each model gets its own page', {
    hint: 'Name a folder for them: `report: pages/`.',
  });
}

/** Refuses two outputs of the same name, and an output that another job reads. */
function refuseClashes(jobs: readonly Job[]): void {
  const inputs = new Map(jobs.map((job) => [resolve(job.input), job]));
  const outputs = new Map<string, Job>();
  for (const job of jobs) {
    if (job.output === undefined) continue;
    const path = resolve(job.output);
    const other = outputs.get(path);
    if (other !== undefined) {
      throw new CompressError(
        'options',
        job.output,
        `would be written for two models: ${other.input} and ${job.input}`,
        {
          hint: `Give their folder with --recursive to keep them apart: -r ${commonFolder(other.input, job.input)}`,
        },
      );
    }
    outputs.set(path, job);
    const read = inputs.get(path);
    if (read === undefined || read === job) continue;
    throw new CompressError('options', job.output, `would be written for ${job.input}, but it is also an input`, {
      hint: 'Name another folder.',
    });
  }
}

/** The folder that contains both files. */
function commonFolder(a: string, b: string): string {
  const above = new Set<string>();
  for (let at = dirname(resolve(a)); ; at = dirname(at)) {
    above.add(at);
    if (at === dirname(at)) break;
  }
  let at = dirname(resolve(b));
  while (!above.has(at)) at = dirname(at);
  return relative('', at) || '.';
}
