import { basename } from 'node:path';
import { isatty } from 'node:tty';
import type { Source } from '../bytes/source.ts';
import { CompressError } from '../errors.ts';
import { checkModel } from '../ir/check.ts';
import type { Model } from '../ir/model.ts';
import { readsOurs } from '../node/files/reader.ts';
import { checkTarget, fileSink } from '../node/files/sink.ts';
import { stdinSource } from '../node/files/spool.ts';
import { stdoutSink } from '../node/files/standard.ts';
import { type Written, writeModel } from '../node/model.ts';
import type { Check } from '../node/recipes/check.ts';
import { refuseUnchanged, runStep, type Step } from '../node/recipes/runStep.ts';
import { expectWork, prepareFor } from '../node/threads/work.ts';
import { refuseBeginning } from '../onnx/beginning.ts';
import { checkUnchanged } from '../onnx/output.ts';
import { dataBytes, type ModelPlan, planModel } from '../onnx/plan.ts';
import { inputByteLength } from '../onnx/size.ts';
import type { CommonValues, StoreValues } from '../options/common.ts';
import { isStepVerb, SUMMARIES } from '../options/verbs.ts';
import type { PassReport } from '../passes/pass.ts';
import { DASH } from './arguments.ts';
import { doneWithDashes } from './dashes.ts';
import { GzipEstimate, gzipEstimateOf } from './gzip.ts';
import { openPath, openSource } from './open.ts';
import { isStream, outputOf, sameFile } from './output.ts';
import { packedNotes } from './packed.ts';
import { endProgress, progress } from './progress.ts';
import { tee } from './tee.ts';
import { printable } from './text.ts';
import { unchangedWith } from './unchanged.ts';

/** What a run did, for people and for programs. */
export interface RunReport {
  readonly input: string;
  /** Undefined for a dry run. */
  readonly output: string | undefined;
  readonly before: number;
  readonly after: number;
  readonly dataFiles: readonly string[];
  /**
   * Estimated size of the output with gzip, for a pruned model, whose zeros compress well; undefined for external data,
   * and if no report is shown.
   */
  readonly gzip: number | undefined;
  /** A sentence for each --include or --exclude pattern that matches nothing. */
  readonly notes: readonly string[];
  readonly passes: readonly PassReport[];
  /** The comparison of both models, or why they were not run; absent if none was requested. */
  readonly check?: Check | string;
  /** Set if this program also reads the pipe that the result went into: that process reports the next step. */
  readonly reader?: 'ours';
}

/** Standard streams. Tests pass their own. */
export interface Streams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Keeps what passes through standard streams, for a page that reads both models afterwards. */
export interface StreamCopies {
  /** Keeps the piped input so that it can be read again; returns a source that the run may close. */
  keep(source: Source): Source;
  /**
   * Takes each chunk of a model that is written to standard output. The caller may reuse the chunk once the promise
   * resolves.
   */
  add(chunk: Uint8Array): Promise<void>;
}

/** Opens, reads, transforms and writes a model: the same for every verb. */
export async function pipe(
  args: CommonValues & Partial<StoreValues>,
  streams: Streams,
  steps: readonly Step[],
  beside?: StreamCopies,
): Promise<RunReport> {
  const target = outputOf(args, streams);
  const fromStdin = args.model === undefined || args.model === DASH;
  if (fromStdin && isatty(0)) {
    throw new CompressError('options', '', 'no model is given, and standard input is a terminal', {
      hint: 'Give the path of an .onnx file, or pipe one in.',
    });
  }
  if (args.model === '') {
    throw new CompressError('options', 'model', 'the file name is empty', {
      hint: 'Is a variable of the script empty?',
    });
  }
  const input = fromStdin ? '<stdin>' : (args.model as string);
  await refuseInput(args, fromStdin);
  // Before the work, which may be long; the sink checks again.
  if (target !== undefined && !args.dryRun) await checkTarget(target, args.force === true);
  const model = await open(args, streams, fromStdin, beside);
  try {
    const before = inputByteLength(model);
    if (steps.length > 0) {
      expectWork(before);
      checked(model, input);
    }
    const quiet = args.quiet === true;
    const reports: PassReport[] = [];
    const notes: string[] = [];
    for (const step of steps) {
      const { name } = step.pass;
      const ran = await runStep(
        step,
        model,
        progress(isStepVerb(name) ? (SUMMARIES[name].doing ?? name) : name, quiet),
      ).catch((cause: unknown) => {
        throw withFile(cause, input);
      });
      const done = doneWithDashes(ran);
      refuseUnchanged(step, done, input, unchangedWith(args.verbose === true));
      reports.push(done.report);
      notes.push(...done.notes);
      if (!quiet) writeNotes(done.notes, streams);
    }
    const passes = packedNotes(reports, args);
    const mode = args.externalData ? 'external' : args.embed ? 'embed' : 'auto';
    const named = dataName(args, streams, target);
    const plan = (): ModelPlan => planModel(model, { mode, ...(named === undefined ? {} : { dataName: named }) });
    if (args.dryRun) {
      const planned = plan();
      await checkUnchanged(model);
      const after = plannedBytes(planned, model);
      return { input, output: undefined, before, after, dataFiles: [], gzip: undefined, notes, passes };
    }
    // The estimate takes a tenth of the time of a large model, so it is made only if it is shown.
    const shown = args.quiet !== true || args.json === true;
    const toGzip = shown && reports.some((report) => report.pass === 'prune');
    // The plan is not kept: for a model of many nodes it is as large as the model.
    const passing = isStream(target);
    const estimate = toGzip && passing ? new GzipEstimate(plan().byteLength) : undefined;
    const sink = target === undefined ? stdoutSink(streams.stdout) : passing ? fileSink(target) : undefined;
    const onto = sink === undefined ? (target as string) : tee(await sink, estimate, beside);
    const onProgress = progress('writing', quiet, { unit: 'bytes' });
    const options = { data: mode, overwrite: args.force === true, onProgress } as const;
    const written: Written = await writeModel(model, onto, options).catch((cause: unknown) => {
      throw withFile(cause, target ?? '<stdout>');
    });
    return {
      ...(shown && target === undefined && readsOurs(1) ? { reader: 'ours' } : {}),
      input,
      output: target ?? '<stdout>',
      before,
      after: written.byteLength + written.dataByteLength,
      dataFiles: written.dataFiles,
      gzip:
        !toGzip || written.dataByteLength > 0
          ? undefined
          : (estimate?.byteLength() ?? (await gzipEstimateOf(target as string))),
      notes,
      passes,
    };
  } finally {
    await model.close();
  }
}

/** Prints notes. */
export function writeNotes(notes: readonly string[], { stderr }: Pick<Streams, 'stderr'>): void {
  if (notes.length > 0) endProgress();
  for (const note of notes) stderr.write(`note: ${printable(note)}\n`);
}

async function open(
  args: CommonValues,
  streams: Streams,
  fromStdin: boolean,
  beside: StreamCopies | undefined,
): Promise<Model> {
  if (!fromStdin) return openPath(args.model as string);
  const source = await stdinSource(() => streams.stdin as AsyncIterable<Uint8Array>, refuseBeginning);
  prepareFor(source.byteLength);
  return openSource(beside?.keep(source) ?? source);
}

/** Refuses to overwrite the input, whatever path leads to it, unless forced. */
async function refuseInput(args: CommonValues, fromStdin: boolean): Promise<void> {
  const { model, output } = args;
  if (args.force || args.dryRun || fromStdin || model === undefined || output === undefined || output === '-') return;
  if (!(await sameFile(model, output))) return;
  throw new CompressError('exists', output, 'is also the input', {
    hint: 'Use --force to replace it with the result.',
  });
}

/** Name of the data file next to the output, if there can be one. */
function dataName(args: CommonValues, streams: Streams, target: string | undefined): string | undefined {
  if (target !== undefined) return isStream(target) ? undefined : `${basename(target)}.data`;
  // A dry run on a terminal predicts a run with -o: nothing else could follow.
  const onlyStream = !args.dryRun || (!args.externalData && !args.json && !streams.stdout.isTTY);
  if (onlyStream) return undefined;
  return args.model === undefined || args.model === DASH ? 'model.onnx.data' : `${basename(args.model)}.data`;
}

/** Bytes of all files of a planned model. */
export function plannedBytes(plan: ModelPlan, model: Model): number {
  return plan.keepsDataFiles ? inputByteLength(model) : plan.byteLength + dataBytes(plan);
}

/** Refuses an invalid model before any work is done on it. */
function checked(model: Model, input: string): void {
  try {
    checkModel(model);
  } catch (cause) {
    throw withFile(cause, input);
  }
}

/** Errors of passes and of the planner do not name the file: this adds its name. */
function withFile(cause: unknown, file: string): unknown {
  if (!(cause instanceof CompressError) || cause.where.startsWith(file)) return cause;
  if (cause.code === 'options' || cause.code === 'io' || cause.code === 'exists') return cause;
  const { code, message, hint, kind } = cause;
  return new CompressError(code, file, message, { cause, hint, kind });
}
