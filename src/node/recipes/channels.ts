import { CompressError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { checkShape } from '../../options/check.ts';
import { ACTIVATION_ROWS } from '../../options/quantize.ts';
import { defined } from '../../options/values.ts';
import {
  type ChannelOptions,
  type ChannelReport,
  type GroupReport,
  groupLine,
  removeChannels,
} from '../../passes/channels/index.ts';
import type { Pass } from '../../passes/pass.ts';
import { openActivations } from '../activations/open.ts';
import type { OnProgress } from '../activations/progress.ts';
import { openData } from '../data/open.ts';
import type { DataSet, Sample } from '../data/types.ts';
import { loadRuntime } from '../runtime/load.ts';
import { type OutputShapes, outputShapes, runnableSample } from '../runtime/outputShapes.ts';

/** Where activations come from, and what to report. */
export interface ChannelRun {
  /** Path of data to run the model on. */
  readonly data?: string | undefined;
  readonly samples?: number | undefined;
  readonly batch?: number | undefined;
  /** Notes about groups of channels: none, the first ones, or all. */
  readonly describeGroups?: 'none' | 'some' | 'all';
  /** Called after each run of a sample. */
  readonly onProgress?: OnProgress;
}

/**
 * Removes channels as {@link removeChannels} does, with activations from a data file and with a check: if ONNX Runtime
 * is installed, the model is run before and after. A result that does not run, or whose outputs have other shapes, is
 * an error.
 *
 * @example
 * await transform(model, checkedChannels({ amount: 0.3, reconstruct: true }, { data: 'calib.npz' }));
 */
export function checkedChannels(options: ChannelOptions, run: ChannelRun = {}): Pass {
  const { samples, batch } = ACTIVATION_ROWS;
  checkShape('checkedChannels', run, {
    data: 'text',
    ...{ samples, batch },
    describeGroups: ['none', 'some', 'all'],
    onProgress: 'function',
  });
  // Refuse invalid options before a model is read.
  removeChannels({ ...options, reconstruct: false, norm: options.norm === 'wanda' ? 'l1' : (options.norm ?? 'l1') });
  return {
    name: 'channels',
    async run(model) {
      const data = run.data === undefined ? undefined : await open(model, run.data, run);
      const before = await probe(model, data);
      const report = await removed(model, options, data, run.onProgress);
      const notes = [...report.notes];
      if (data !== undefined) notes.push(`activations of ${data.description}`);
      if (report.changes.length > 0) notes.push(await check(model, before));
      notes.push(...groupNotes(report.groups, run.describeGroups));
      return { ...report, notes };
    },
  };
}

/** Removes channels, using the data if there is any. */
async function removed(
  model: Model,
  options: ChannelOptions,
  data: DataSet | undefined,
  onProgress: OnProgress | undefined,
): Promise<ChannelReport> {
  if (data === undefined) return removeChannels(options).run(model);
  const source = openActivations(data, defined({ onProgress }));
  try {
    return await removeChannels({ ...options, source }).run(model);
  } finally {
    await source.close();
  }
}

/** Maximum number of lines about groups. */
const SOME = 40;

function groupNotes(groups: readonly GroupReport[], wanted: ChannelRun['describeGroups'] = 'none'): string[] {
  const shown = groups.slice(0, { none: 0, some: SOME, all: groups.length }[wanted]).map(groupLine);
  const more = groups.length - shown.length;
  return wanted === 'some' && more > 0 ? [...shown, `… and ${more} more groups (\`verbose\`)`] : shown;
}

function open(model: Model, path: string, { samples, batch }: ChannelRun): Promise<DataSet> {
  return openData(path, model.graph.fedInputs, {
    ...(samples === undefined ? {} : { samples }),
    ...(batch === undefined ? {} : { batch }),
  });
}

/** The output shapes of the original model, or why it could not be run. */
type Probe = { readonly sample: Sample; readonly shapes: OutputShapes } | { readonly why: string };

async function probe(model: Model, data: DataSet | undefined): Promise<Probe> {
  try {
    await loadRuntime();
  } catch {
    return { why: 'onnxruntime-node is not installed' };
  }
  if (data !== undefined) {
    for await (const sample of data.samples()) return { sample, shapes: await outputShapes(model, sample) };
  }
  return (await runnableSample(model)) ?? { why: 'it does not run on random inputs; give real ones with `calibrate`' };
}

async function check(model: Model, before: Probe): Promise<string> {
  if ('why' in before) return `the result was not checked: ${before.why}`;
  const wrong = (fact: string, cause?: unknown): CompressError =>
    new CompressError('internal', 'channels', `${fact}; nothing is written`, {
      cause,
      hint: 'This is a bug in onnx-compress: please report it. `exclude` leaves the layer as it is.',
    });
  const after = await outputShapes(model, before.sample).catch((cause: unknown) => {
    throw wrong(`the pruned model does not run: ${(cause as Error).message}`, cause);
  });
  for (const [name, dims] of before.shapes) {
    const now = after.get(name);
    if (now?.join() !== dims.join())
      throw wrong(`output '${name}' changed its shape from [${dims.join(', ')}] to [${now?.join(', ')}]`);
  }
  return 'checked by running both models: the output shapes are the same';
}
