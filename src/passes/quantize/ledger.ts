import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { Losses } from '../../kernels/loss.ts';
import { constantName, heldBy } from '../../layers/constant.ts';
import { sizeOf } from '../../layers/select.ts';
import type { Change, Skip } from '../../layers/skip.ts';
import type { PassFact } from '../facts.ts';
import { type Unsupported, unsupported } from './rest.ts';

/** One node that now reads a weight in a new form. */
export interface Rewrite {
  readonly node: Node;
  /** Bytes added for it. */
  readonly added: number;
  /** The new form, in a few words. */
  readonly form: string;
  /** The rounding loss, known once the integers are computed. */
  readonly losses?: Losses | undefined;
  /** Fewer than 8. */
  readonly bits?: number | undefined;
}

/** The outcome of one weight of the file. */
interface Entry {
  readonly name: string;
  readonly root: Tensor;
  readonly rewrites: Rewrite[];
  /** Bytes of it that stay float. */
  left: number;
  /** Whether a caller could override it before. */
  input: boolean;
  skip?: Skip;
}

/**
 * The record of a run: every weight of the file once, as changed or as skipped for one reason, under its name in the
 * file. Kept by tensor, however many nodes read it and whatever earlier passes derived from it.
 */
export class Ledger {
  /** Names of the float tensors in the file. */
  readonly #names = new Map<Tensor, string>();
  /** Names of all values of the file. Any other name was added by this run. */
  readonly #values: ReadonlySet<string>;
  readonly #unsupported: ReadonlyMap<Tensor, Unsupported>;
  /** By tensor and name: a Constant that was copied with its function is a weight for each call. */
  readonly #entries = new Map<Tensor, Map<string, Entry>>();
  readonly #changed = new Set<Entry>();
  /** Of weights that are not tensors of floats, by graph and name. */
  readonly #others = new Map<string, Skip>();
  readonly #facts: PassFact[] = [];
  readonly #graphs = new Map<Graph, number>();

  /** @param model - before anything is changed */
  constructor(model: Model, minElements: number) {
    const values = new Set<string>();
    const large = new Map<Tensor, Unsupported>();
    for (const graph of model.graphs()) {
      for (const { name } of [...graph.inputs, ...graph.sparseInitializers]) values.add(name);
      for (const name of graph.initializers.keys()) values.add(name);
      for (const node of graph.nodes) for (const name of node.outputs) values.add(name);
      for (const held of heldBy(graph)) {
        if (!isFloat(held.tensor.dtype)) continue;
        this.#names.set(held.tensor, constantName(held));
        const why = unsupported(held, minElements);
        if (why !== undefined) large.set(held.tensor, why);
      }
    }
    this.#values = values;
    this.#unsupported = large;
  }

  /** Records that a weight was rewritten for one of its readers. */
  change(held: Constant, rewrite: Rewrite): void {
    const entry = this.#entry(held);
    entry.rewrites.push(rewrite);
    this.#changed.add(entry);
  }

  /** The name of a weight in the file. */
  nameOf(held: Constant): string {
    const root = this.#rootOf(held.tensor);
    return root === held.tensor ? constantName(held) : (this.#names.get(root) ?? constantName(held));
  }

  /** Records a fact about the whole model. */
  fact(fact: PassFact): void {
    this.#facts.push(fact);
  }

  /** Records how many bytes of a rewritten weight stay, once all its readers were handled. */
  settle(held: Constant, left: { readonly bytes: number; readonly input?: boolean }): void {
    const entry = this.#entry(held);
    entry.left = left.bytes;
    entry.input ||= left.input === true;
  }

  /** Records that a weight was skipped, unless it is changed for another reader. The first reason counts. */
  skip(held: Constant, skip: Skip): void {
    if (isFloat(held.tensor.dtype)) {
      const entry = this.#entry(held);
      entry.skip ??= { ...skip, weight: entry.name };
    } else {
      this.#tell(held.graph, skip);
    }
  }

  /** Records a weight that cannot be accessed and may be no tensor at all. Values that this run wrote are ignored. */
  other(graph: Graph, skip: Skip): void {
    const held = graph.constant(skip.weight);
    if (held !== undefined) this.skip(held, skip);
    else this.#tell(graph, skip);
  }

  #tell(graph: Graph, skip: Skip): void {
    if (!this.#values.has(skip.weight)) return;
    let scope = graph;
    while (scope.parent !== undefined && !scope.defines(skip.weight)) scope = scope.parent;
    if (!this.#graphs.has(scope)) this.#graphs.set(scope, this.#graphs.size);
    const key = `${this.#graphs.get(scope)} ${skip.weight}`;
    if (!this.#others.has(key)) this.#others.set(key, skip);
  }

  /**
   * The resulting report.
   * @param model - the result, if everything was tried: large weights without an entry are then reported too
   */
  close(model?: Model): { changes: Change[]; skips: Skip[]; facts: readonly PassFact[] } {
    const left = [...this.#entries.values()]
      .flatMap((one) => [...one.values()])
      .filter((one) => !this.#changed.has(one));
    const skips = left.flatMap(({ skip }) => (skip === undefined ? [] : [skip]));
    skips.push(...this.#others.values(), ...(model === undefined ? [] : this.#rest(model)));
    return { changes: [...this.#changed].map(changeOf), skips, facts: this.#facts };
  }

  /** Every large float tensor without an entry: nothing stays float unreported. */
  #rest(model: Model): Skip[] {
    const open = [...this.#unsupported].filter(([root]) => !this.#entries.has(root));
    if (open.length === 0) return [];
    const there = new Set<Tensor>();
    for (const graph of model.graphs()) for (const { tensor } of heldBy(graph)) there.add(this.#rootOf(tensor));
    return open
      .filter(([root]) => there.has(root))
      .map(([root, why]) => ({
        weight: this.#names.get(root) ?? root.name,
        ...sizeOf({ tensor: root }),
        reason: 'unsupported_op',
        ...why,
      }));
  }

  #entry(held: Constant): Entry {
    const root = this.#rootOf(held.tensor);
    const name = this.nameOf(held);
    const byName = this.#entries.get(root) ?? new Map<string, Entry>();
    const entry = byName.get(name) ?? { name, root, rewrites: [], left: 0, input: false };
    this.#entries.set(root, byName.set(name, entry));
    return entry;
  }

  /** The tensor of the file that a tensor was derived from. */
  #rootOf(tensor: Tensor): Tensor {
    let root = tensor;
    while (!this.#names.has(root) && root.from !== undefined) root = root.from.tensor;
    return root;
  }
}

function changeOf({ name, root, rewrites, left, input, skip }: Entry): Change {
  const forms = [...new Set(rewrites.map((one) => one.form))].join(', ');
  const rest = left > 0 ? '; the float weight is kept too' : input ? '; no longer a graph input' : '';
  const bits = rewrites.flatMap((one) => one.bits ?? []);
  return {
    weight: name,
    nodes: [...new Set(rewrites.map(({ node }) => nodeName(node)))],
    opType: [...new Set(rewrites.map(({ node }) => node.opType))].join(', '),
    dtype: root.dtype,
    dims: root.dims,
    elements: elementCount(root.dims),
    before: root.byteLength,
    after: rewrites.reduce((sum, one) => sum + one.added, left),
    form: forms + rest,
    get sqnr() {
      const known = rewrites.flatMap((one) => one.losses?.sqnr ?? []);
      return known.length === 0 ? undefined : Math.min(...known);
    },
    ...(bits.length > 0 && { bits: Math.min(...bits) }),
    ...(skip && { instead: { reason: skip.reason, detail: skip.detail, kept: left > 0 } }),
  };
}

function nodeName(node: Node): string {
  return node.name || (node.outputs.find((one) => one !== '') ?? '');
}
