import { CompressError } from '../../errors.ts';
import { cloneModel } from '../../ir/clone.ts';
import { isFloat } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import { orderedNodes } from '../../ir/order.ts';
import type { Change } from '../../layers/skip.ts';
import type { Pass } from '../../passes/pass.ts';
import { openTapped, type TappedSession } from '../activations/tap.ts';
import type { DataSet } from '../data/types.ts';
import { OutputComparison } from '../runtime/compare.ts';
import { type OutputKind, outputKinds } from '../runtime/outputs/kinds.ts';
import { runOne } from '../runtime/session.ts';
import { changedLayers, exactly } from './tune/layers.ts';

/** The shares of the weights' bytes that may stay float32, tried in this order. */
const SHARES = [0.02, 0.05, 0.1, 0.2] as const;
/** The largest of them, in words. */
const AT_MOST = '20 %';

/** What the trials found. */
interface Settled {
  /** Names of weights or nodes to leave float32. */
  readonly exclude: readonly RegExp[];
  readonly notes: readonly string[];
}

/** How a model is made, and what is enough. */
interface Trying {
  /** Makes 16 bits, but for what is left out; inputs and outputs stay float32. */
  readonly pass: (exclude: readonly RegExp[]) => Pass;
  /** Whether the model computes in float16. */
  readonly computes: boolean;
  /** dB; undefined if nothing is to stay float32. */
  readonly bar: number | undefined;
}

/**
 * Measures what a model keeps of its outputs in 16 bits. If that is less than `bar` dB, a part stays float32: the first
 * share of {@link SHARES} that reaches the bar. If none does, none stays. The model itself is not changed.
 *
 * Of stored weights, the smallest stay: rounding has the same relative error in each, so they gain most for their
 * bytes. Of a model that computes in float16, the first nodes stay: later layers amplify what is lost there, they have
 * few weights, and together they need one Cast.
 *
 * @throws CompressError `runtime`, `io`, `data`
 */
export async function settleHalves(model: Model, data: DataSet, { pass, computes, bar }: Trying): Promise<Settled> {
  const reference = await openTapped(model, []);
  try {
    const judge = new Judge(reference, data, outputKinds(model));
    const tried = async (exclude: readonly RegExp[]): Promise<readonly [readonly Change[], number | undefined]> => {
      const copy = cloneModel(model);
      const { changes } = await pass(exclude).run(copy);
      return [changes, await judge.kept(copy)];
    };
    const notes: string[] = [];
    // The CPU may lack a kernel that the target has.
    const [changes, first] = await tried([]).catch((cause: unknown) => {
      if (!(cause instanceof CompressError) || cause.code !== 'runtime') throw cause;
      notes.push(`what the outputs keep is not measured, as the model does not run on this CPU: ${cause.message}`);
      return [[], undefined] as const;
    });
    if (first === undefined) return { exclude: [], notes };
    const all = `the outputs keep ${shown(first)} dB of the calibration data`;
    if (bar === undefined || first >= bar) return { exclude: [], notes: [all] };
    let [most, before] = [first, 0];
    for (const share of SHARES) {
      const names = computes ? firstNodes(model, share) : smallest(changes, share);
      if (names.length === before) continue;
      before = names.length;
      const exclude = names.map((name) => new RegExp(exactly(name), 'u'));
      const [, kept = first] = await tried(exclude);
      most = Math.max(most, kept);
      if (kept < bar) continue;
      return {
        exclude,
        notes: [`${staying(names.length, computes)}, for ${shown(kept)} dB instead of ${shown(first)}`],
      };
    }
    const further = before === 0 ? '' : `, and at most ${shown(most)} with up to ${AT_MOST} of the weights float32`;
    return { exclude: [], notes: [`${all}, less than ${bar}${further}`] };
  } finally {
    await reference.close();
  }
}

/** The smallest of the weights that were rounded, as many as have this share of their bytes; vectors do not count. */
function smallest(changes: readonly Change[], share: number): string[] {
  const layers = changedLayers(changes.filter(({ dims, elements }) => elements > Math.max(1, ...dims)));
  let left = share * layers.reduce((sum, { saved }) => sum + saved, 0);
  const names: string[] = [];
  for (const { name, saved } of layers.sort((a, b) => a.saved - b.saved)) {
    left -= saved;
    if (left < 0) break;
    names.push(name);
  }
  return names;
}

/** The first nodes, as many as read this share of the bytes of all weights, by name; those without one do not count. */
function firstNodes({ graph }: Model, share: number): string[] {
  const bytesOf = (node: Node): number =>
    node.inputs.reduce((sum, input) => sum + (graph.constant(input)?.tensor.byteLength ?? 0), 0);
  const nodes = orderedNodes(graph);
  let left = share * nodes.reduce((sum, node) => sum + bytesOf(node), 0);
  const names: string[] = [];
  for (const node of nodes) {
    left -= bytesOf(node);
    if (left < 0) break;
    if (node.name !== '') names.push(node.name);
  }
  return names;
}

function staying(count: number, computes: boolean): string {
  if (computes) return count === 1 ? 'the first node stays float32' : `the first ${count} nodes stay float32`;
  return `${count} more ${count === 1 ? 'weight stays' : 'weights stay'} float32`;
}

const shown = (db: number): string => (Number.isFinite(db) ? db.toFixed(1) : db > 0 ? 'all' : 'no');

/** Compares models with one that is open. */
class Judge {
  readonly #reference: TappedSession;
  readonly #data: DataSet;
  readonly #kinds: readonly OutputKind[];

  constructor(reference: TappedSession, data: DataSet, kinds: readonly OutputKind[]) {
    this.#reference = reference;
    this.#data = data;
    this.#kinds = kinds;
  }

  /** The dB of the worst float output, over all samples; undefined if no output tells. */
  async kept(model: Model): Promise<number | undefined> {
    const { session, close } = await openTapped(model, []);
    try {
      const comparisons = this.#kinds.map((kind) => new OutputComparison(kind));
      const names = this.#kinds.map(({ name }) => name);
      for await (const sample of this.#data.samples()) {
        const expected = await runOne(this.#reference.session, sample, names);
        const found = await runOne(session, sample, names);
        for (const one of comparisons) {
          const [a, b] = [expected[one.name], found[one.name]];
          if (a !== undefined && b !== undefined) one.add(a, b);
        }
      }
      const figures = comparisons.map((one) => one.figures());
      const telling = figures.filter(({ dtype, zero, cache }) => isFloat(dtype) && zero !== true && cache !== true);
      return telling.length === 0 ? undefined : Math.min(...telling.map(({ sqnr }) => sqnr));
    } finally {
      await close();
    }
  }
}
