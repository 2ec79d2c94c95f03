import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { CompressError } from '../errors.ts';
import { type Sink, streamSink } from '../io/sink.ts';
import { stdinSource } from '../io/spool.ts';
import type { Model } from '../ir/model.ts';
import { planModel } from '../onnx/plan.ts';
import { readModel } from '../onnx/read.ts';
import { inputByteLength } from '../onnx/size.ts';
import { type Written, writeModel } from '../onnx/write.ts';
import { type Pass, type PassReport, transform } from '../passes/pass.ts';
import type { CommonArguments } from './arguments.ts';
import { GzipEstimate, gzipEstimateOf } from './gzip.ts';

/** What a run did, for people and for programs. */
export interface RunReport {
  readonly input: string;
  /** Undefined for a dry run. */
  readonly output: string | undefined;
  readonly before: number;
  readonly after: number;
  readonly dataFiles: readonly string[];
  /** Estimated size of the output with gzip; undefined for a dry run and for external data. */
  readonly gzip: number | undefined;
  readonly passes: readonly PassReport[];
}

/** Standard streams, so that tests can bring their own. */
export interface Streams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** open → read → transform → write: the same for every verb. `allowUnchanged`: passes that change nothing are no error. */
export async function pipe(
  args: CommonArguments,
  streams: Streams,
  passes: readonly Pass[],
  allowUnchanged: boolean,
): Promise<RunReport> {
  const target = outputOf(args, streams);
  const fromStdin = args.model === undefined || args.model === '-';
  if (fromStdin && streams.stdin.isTTY) {
    throw new CompressError('options', 'model', 'no model is given, and standard input is a terminal', {
      hint: 'Give the path of an .onnx file, or pipe one in.',
    });
  }
  const input = fromStdin ? '<stdin>' : (args.model as string);
  const model = await open(args, streams, fromStdin);
  try {
    const before = inputByteLength(model);
    const reports = await transform(model, ...passes).catch((cause: unknown) => {
      throw named(cause, input);
    });
    for (const report of reports) if (!allowUnchanged) refuseUnchanged(report, input);
    const mode = args.externalData ? 'external' : args.embed ? 'embed' : 'auto';
    if (args.dryRun) {
      const plan = planModel(model, { mode, dataName: 'model.onnx.data' });
      const after = plan.byteLength + (plan.data?.byteLength ?? 0);
      return { input, output: undefined, before, after, dataFiles: [], gzip: undefined, passes: reports };
    }
    const plan = planModel(model, { mode, ...(target === undefined ? {} : { dataName: `${basename(target)}.data` }) });
    const estimate = new GzipEstimate(plan.byteLength);
    const onto = target ?? tee(streamSink(streams.stdout), estimate);
    const written: Written = await writeModel(model, onto, { data: mode, overwrite: args.force }).catch(
      (cause: unknown) => {
        throw named(cause, target ?? '<stdout>');
      },
    );
    return {
      input,
      output: target ?? '<stdout>',
      before,
      after: written.byteLength + written.dataByteLength,
      dataFiles: written.dataFiles,
      gzip:
        written.dataByteLength > 0
          ? undefined
          : await (target === undefined ? estimate.byteLength() : gzipEstimateOf(target)),
      passes: reports,
    };
  } finally {
    await model.close();
  }
}

/** Where the model goes: a path, or undefined for standard output. */
function outputOf(args: CommonArguments, streams: Streams): string | undefined {
  const toStdout = args.output === undefined || args.output === '-';
  if (args.dryRun) return toStdout ? undefined : args.output;
  if (!toStdout) return args.output;
  if (streams.stdout.isTTY) {
    throw new CompressError('options', 'output', 'standard output is a terminal, where a model cannot go', {
      hint: 'Name a file with -o small.onnx, or redirect with > small.onnx.',
    });
  }
  if (args.json) {
    throw new CompressError('options', '--json', 'standard output carries the model', {
      hint: 'Write the model with -o FILE; the JSON then goes to standard output.',
    });
  }
  return undefined;
}

async function open(args: CommonArguments, streams: Streams, fromStdin: boolean): Promise<Model> {
  if (fromStdin) {
    return readModel(await stdinSource(streams.stdin)).catch((cause: unknown) => {
      if (!(cause instanceof CompressError) || !cause.hint?.startsWith('The file ends too early')) throw cause;
      throw new CompressError('malformed', '', cause.message, {
        hint: 'The model ends too early: did the command before the pipe fail?',
        cause,
      });
    });
  }
  const path = args.model as string;
  const { output } = args;
  if (output !== undefined && output !== '-' && !args.force && (await sameFile(path, output))) {
    throw new CompressError('exists', output, 'is the input itself', {
      hint: 'Use --force to replace it by the result.',
    });
  }
  return readModel(path);
}

async function sameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((path) => stat(path).catch(() => undefined)));
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}

function refuseUnchanged(report: PassReport, input: string): void {
  if (report.changes.length > 0) return;
  const reasons = report.skips.slice(0, 20).map((one) => `  ${one.weight || one.node} (${one.opType}): ${one.detail}`);
  const more = report.skips.length > 20 ? [`  … and ${report.skips.length - 20} more`] : [];
  const list =
    reasons.length === 0
      ? ': it has no weights of the operators this works on'
      : `:\n${[...reasons, ...more].join('\n')}`;
  const notes = report.notes.map((note) => `\n  ${note}`).join('');
  throw new CompressError('nothing_to_do', input, `${report.pass} found nothing to change${list}${notes}`, {
    hint: 'Use --allow-unchanged to pass such models through.',
  });
}

/** Errors of passes and of the planner do not know the file: this puts its name in front. */
function named(cause: unknown, file: string): unknown {
  if (!(cause instanceof CompressError) || cause.where === file || cause.message.startsWith(file)) return cause;
  if (cause.code === 'options' || cause.code === 'io' || cause.code === 'exists') return cause;
  return new CompressError(
    cause.code,
    file,
    cause.message,
    cause.hint === undefined ? { cause } : { cause, hint: cause.hint },
  );
}

function tee(sink: Sink, estimate: GzipEstimate): Sink {
  return {
    ...sink,
    write(chunk) {
      estimate.add(chunk);
      return sink.write(chunk);
    },
  };
}
