import { batches } from '../../activations/batches.ts';
import type { Model } from '../../ir/model.ts';
import { letGo } from '../../kernels/letGo.ts';
import type { DataSet, FeedTensor } from '../data/types.ts';
import { runOne } from '../runtime/session.ts';
import type { HandedOut } from './branches.ts';
import type { Checkpoint, Recorder } from './checkpoint.ts';
import { cutModel } from './cut.ts';
import type { Progress } from './progress.ts';
import { firstSample, floatsOf, noSamples, own } from './samples.ts';
import type { Tally } from './tally.ts';
import { openTapped, tapSizes } from './tap.ts';

/** Where samples come from: the data, or a checkpoint, whose values are fed in place of the inputs. */
export type Start = Pick<DataSet, 'samples' | 'description'> & Partial<Pick<Checkpoint, 'given' | 'place' | 'holds'>>;

/** What to run, and from where. */
export interface Run {
  readonly opened: HandedOut;
  readonly start: Start;
  readonly recorder: Recorder | undefined;
  readonly progress: Progress;
}

/** A requested value: its unique name in the model, and its name in the model that runs. */
export interface Wanted {
  readonly key: string;
  readonly name: string;
}

/** Values that are observed together, in one session. */
export interface Chunk {
  readonly values: readonly Wanted[];
  /** By the key of each value. */
  readonly tallies: ReadonlyMap<string, readonly Tally<unknown>[]>;
  /** Number of passes over the data. */
  readonly passes: number;
}

/**
 * ONNX Runtime's JavaScript keeps fetched values in plain objects, where this name is not a key. Such a value cannot be
 * observed.
 */
const UNNAMEABLE = '__proto__';

/** Groups the values, in order, into chunks whose bytes for one sample stay below a limit. */
export async function chunksOf(
  { opened: { model }, start }: Pick<Run, 'opened' | 'start'>,
  values: readonly Wanted[],
  tallies: readonly Tally<unknown>[],
  limit: number,
): Promise<Chunk[]> {
  const inner = values.map(({ name }) => name).filter((name) => !isFed(model, start, name));
  // A single value is observed whatever its size.
  const sizes =
    inner.length < 2
      ? new Map<string, number>()
      : await tapSizes(cutModel(model, inner, start.given), inner, await firstSample(start));
  const counting = new Map<string, Tally<unknown>[]>();
  for (const tally of tallies) {
    for (const key of new Set(tally.values)) counting.set(key, [...(counting.get(key) ?? []), tally]);
  }
  return batches(values, ({ name }) => sizes.get(name) ?? 0, limit).map((own) => {
    const among = new Map(own.map(({ key }) => [key, counting.get(key) ?? []]));
    return { values: own, tallies: among, passes: Math.max(...[...among.values()].flat().map((one) => one.passes)) };
  });
}

/**
 * Runs the model, cut after the values of a chunk, on every sample, and passes these values to their tallies.
 * @param later - passes over the data that follow those of this chunk
 */
export async function look(run: Run, { values, tallies, passes }: Chunk, later: number): Promise<void> {
  const { opened, start, recorder, progress } = run;
  const { model } = opened;
  const asked = new Set(values.map(({ name }) => name));
  const inner = [...new Set([...asked, ...(recorder?.values ?? [])])].filter((name) => !isFed(model, start, name));
  const tapped = inner.length === 0 ? undefined : await openTapped(cutModel(model, inner, start.given), inner);
  try {
    // A session cannot output values that are not numbers.
    const all = tapped?.session.outputNames.filter((name) => name !== UNNAMEABLE) ?? [];
    const alone = all.filter((name) => asked.has(name));
    for (let pass = 0; pass < passes; pass++) {
      const more = later + passes - pass - 1;
      let seen = 0;
      for await (const sample of start.samples()) {
        const fetches = recorder?.open ? all : alone;
        const given = tapped === undefined || fetches.length === 0 ? {} : await runOne(tapped.session, sample, fetches);
        const value = (name: string): FeedTensor | undefined => own(sample.feeds, name) ?? own(given, name);
        for (const { key, name } of values) await show(tallies.get(key) ?? [], key, value(name), seen, pass);
        if (pass === 0) await recorder?.add(sample, value);
        const made = [...Object.values(given), ...(start.holds === undefined ? [] : Object.values(sample.feeds))];
        for (const one of made) if (recorder?.holds(one) !== true && start.holds?.(one) !== true) letGo(one.data);
        seen++;
        progress.ran(seen, more);
      }
      if (seen === 0) throw noSamples(start.description);
      progress.passed(seen, more);
    }
  } finally {
    await tapped?.close();
  }
}

/** Passes a value to all its tallies if it has float elements. */
async function show(
  tallies: readonly Tally<unknown>[],
  value: string,
  tensor: FeedTensor | undefined,
  sample: number,
  pass: number,
): Promise<void> {
  const data = floatsOf(tensor);
  if (tensor === undefined || data.length === 0) return;
  for (const tally of tallies) {
    const full = tally.passes > pass ? tally.add({ value, data, dims: tensor.dims, sample, pass }) : undefined;
    if (full !== undefined) await full;
  }
}

/** Whether a value comes with the samples. */
function isFed({ graph }: Model, { given }: Start, name: string): boolean {
  return given === undefined ? graph.isInput(name) : given.has(name);
}
