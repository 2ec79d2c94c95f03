import { join } from 'node:path';
import type { ActivationRanges } from '../../activations/ranges.ts';
import type { Sink } from '../../bytes/sink.ts';
import type { Source } from '../../bytes/source.ts';
import type { Model } from '../../ir/model.ts';
import { fileSink } from '../../node/files/sink.ts';
import { temporaryFolder } from '../../node/files/temporary.ts';
import { readModel } from '../../node/model.ts';
import type { Step } from '../../node/recipes/runStep.ts';
import type { CommonValues } from '../../options/common.ts';
import type { EqualizeOptions } from '../../passes/equalize/index.ts';
import { DASH } from '../arguments.ts';
import { openPath } from '../open.ts';
import { isStream, outputOf, sameFile } from '../output.ts';
import { pipe, type RunReport, type StreamCopies, type Streams } from '../pipe.ts';
import { type Progress, progress } from '../progress.ts';
import { printable } from '../text.ts';
import { collect } from './collect.ts';
import { reportTarget, writePage } from './html.ts';
import { sensitivityOf } from './sensitivity.ts';

/**
 * Runs the steps as {@link pipe} does, then writes the page for `--report`.
 * @param tell - prints the report, as without a page, and returns it with the figures of a check
 * @throws CompressError as {@link pipe}; then no page is written
 */
export async function reported(
  args: CommonValues,
  steps: readonly Step[],
  streams: Streams,
  tell: (report: RunReport) => Promise<RunReport>,
): Promise<RunReport> {
  const path = await reportTarget(args);
  const target = outputOf(args, streams);
  const { model } = args;
  const file = model === undefined || model === DASH || model === '' ? undefined : model;
  const replaced = file !== undefined && target !== undefined && (await sameFile(file, target));
  const folder = await temporaryFolder();
  const beside = new Kept(join(folder.path, 'model.onnx'));
  let before: Model | undefined;
  try {
    // Opened now, because the result may replace the file.
    if (file !== undefined) before = await openPath(file);
    const report = await tell(await pipe(args, streams, steps, beside));
    before ??= await beside.open();
    const copied = await beside.finish();
    const unreadable = replaced
      ? 'the float model was replaced by the result'
      : file === undefined
        ? 'the float model came through standard input'
        : undefined;
    const options = { ...args };
    const bar = (what: string, unit?: 'times' | 'bytes'): Progress =>
      progress(what, args.quiet === true, { ...(unit && { unit }), stream: streams.stderr });
    const data = await collect({
      report,
      argv: process.argv.slice(2),
      before,
      written: target === undefined || isStream(target) ? copied : target,
      equalized: equalizedIn(options),
      sensitivity: () => sensitivityOf(options, report.passes[0], folder.path, unreadable, bar('layers')),
      progress: bar,
    });
    await beside.unchanged();
    await writePage(path, data, args.force === true);
    if (!args.quiet) streams.stderr.write(`report in ${printable(path)}\n`);
    return report;
  } finally {
    await before?.close();
    await beside.close();
    await folder.remove();
  }
}

/** How channel scales were equalized, if they were. */
function equalizedIn(args: Readonly<Record<string, unknown>>): EqualizeOptions | undefined {
  if (args['equalize'] !== true) return undefined;
  const ranges = args['equalizedRanges'] as ActivationRanges | undefined;
  return ranges === undefined ? {} : { ranges };
}

/** Copies of what passed through standard streams, so that it can be read again. */
class Kept implements StreamCopies {
  readonly #path: string;
  #source: Source | undefined;
  #copy: Sink | undefined;

  /** @param path - where a model that goes to standard output is copied to */
  constructor(path: string) {
    this.#path = path;
  }

  keep(source: Source): Source {
    this.#source = source;
    return staying(source);
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#copy ??= await fileSink(this.#path);
    await this.#copy.write(chunk);
  }

  /** Opens the piped input again. */
  async open(): Promise<Model> {
    return readModel(staying(this.#source as Source));
  }

  /**
   * Checks that the piped input has not changed.
   * @throws CompressError `io` if it has
   */
  async unchanged(): Promise<void> {
    await this.#source?.unchanged?.();
  }

  /** @returns path of the copy */
  async finish(): Promise<string> {
    await this.#copy?.finish();
    this.#copy = undefined;
    return this.#path;
  }

  async close(): Promise<void> {
    await this.#copy?.abort();
    await this.#source?.close();
  }
}

/** A source that stays open when a model that reads from it is closed. */
function staying(source: Source): Source {
  return { ...source, close: async () => {} };
}
