import { withBodies } from '../../ir/bodies.ts';
import { elementCount } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { constantName, heldBy, madeFrom, replaceConstant } from '../../layers/constant.ts';
import { encodeHalf } from '../../schemes/float16.ts';
import { halfName } from '../../schemes/names.ts';
import { castNode } from '../../schemes/write.ts';
import { bounded, type Fits } from './constants.ts';
import type { Naming, Want } from './names.ts';
import { type Plan, typedConstant } from './plan.ts';
import { LEAST_ELEMENTS } from './small.ts';
import type { Types } from './types.ts';

/**
 * How a float32 constant is written:
 * - `half`: float16, under its name
 * - `cast`: float16, and a Cast to float32 under its old name
 * - `both`: float32 as before, and a small copy in float16
 */
type Form = 'half' | 'cast' | 'both';

interface Entry {
  readonly held: Constant;
  readonly form: Form;
  readonly half: string;
  readonly readers: readonly Node[];
}

/** A constant that is float16 now. */
export interface HalfConstant {
  readonly held: Constant;
  readonly data: Tensor;
  /** Nodes that read it. */
  readonly readers: readonly Node[];
  /** Bytes of its new form. */
  readonly after: number;
}

/** The float32 constants of a model, as readers of either type find them. */
export class Weights {
  readonly #model: Model;
  readonly #naming: Naming;
  readonly #fits: Fits;
  readonly #entries = new Map<Graph, Map<string, Entry>>();
  /**
   * Float32 nodes whose constants must be clamped to the range of float16, because a float16 node reads their output.
   */
  readonly #bounded = new Set<Node>();
  readonly #bounds = new Map<Tensor, { readonly held: Constant; readonly name: string }>();

  /** @param least - least elements of a constant that is stored once though it is read in both types */
  constructor(model: Model, naming: Naming, fits: Fits, least: number = LEAST_ELEMENTS) {
    this.#model = model;
    this.#naming = naming;
    this.#fits = fits;
    for (const graph of withBodies([model.graph])) {
      const own = new Map<string, Entry>();
      this.#entries.set(graph, own);
      for (const held of heldBy(graph)) {
        const name = constantName(held);
        if (held.tensor.dtype !== 'float32' || typedConstant(model, graph, name) === undefined) continue;
        const { half, float, output } = naming.wantsOf(graph, name);
        if (!half) continue;
        const form = !float && !output ? 'half' : elementCount(held.tensor.dims) < least ? 'both' : 'cast';
        const readers = graph.uses(name).flatMap((use) => use.node ?? []);
        own.set(name, { held, form, readers, half: form === 'half' ? name : halfName(graph, name, 'float16') });
      }
    }
  }

  /** The name of a constant for a reader. */
  nameFor(held: Constant, want: Want, node: Node): string {
    const name = constantName(held);
    const entry = this.#entries.get(held.graph)?.get(name);
    if (want === 'half') return entry?.half ?? name;
    const bound = this.#bounded.has(node) ? this.#bounds.get(held.tensor) : undefined;
    return bound?.name ?? name;
  }

  /** Whether the constants of a float32 node are clamped to the range of float16. */
  isBounded(node: Node): boolean {
    return this.#bounded.has(node);
  }

  /**
   * Finds the constants of masks that are computed in float32 and cast to float16: the Cast would turn numbers beyond
   * its range into infinity.
   */
  async bound(plan: Plan, types: Types): Promise<void> {
    for (const [graph, values] of plan.values) {
      for (const [name, { exact }] of values) {
        const names = this.#naming.of(graph, name);
        if (exact && names?.half !== undefined && !names.made) await this.#boundBehind(plan, types, graph, name);
      }
    }
  }

  async #boundBehind(plan: Plan, types: Types, graph: Graph, value: string): Promise<void> {
    const open = [value];
    // The list grows during the loop.
    for (const one of open) {
      const node = graph.producer(one);
      if (node === undefined || this.#bounded.has(node) || plan.halves.has(node)) continue;
      this.#bounded.add(node);
      for (const input of node.inputs) {
        if (types.of(graph, input) !== 'float32') continue;
        const held = typedConstant(this.#model, graph, input);
        if (held === undefined) open.push(input);
        else if ((await this.#fits.of(held.tensor)).kind === 'bound') {
          const name = this.#bounds.get(held.tensor)?.name ?? held.graph.uniqueName(`${constantName(held)}_bounded`);
          this.#bounds.set(held.tensor, { held, name });
        }
      }
    }
  }

  /** Writes the tensors into the graphs, once no node reads the old ones. */
  async write(): Promise<HalfConstant[]> {
    const made: HalfConstant[] = [];
    for (const { held, name } of this.#bounds.values())
      held.graph.addInitializer(bounded(held.tensor, name, 'float32'));
    for (const [graph, entries] of this.#entries) {
      const casts: Node[] = [];
      for (const { held, form, half, readers } of entries.values()) {
        const data = await this.#halved(held, half);
        const name = constantName(held);
        const after = data.byteLength + (form === 'both' ? held.tensor.byteLength : 0);
        made.push({ held, data, readers, after });
        if (form === 'half') {
          replaceConstant(held, data);
          continue;
        }
        if (form === 'cast') {
          const cast = castNode(graph, half, name, 'float32');
          if (held.node === undefined) {
            graph.replaceInitializers(new Map([[name, [data]]]));
            graph.removeInput(name);
            casts.push(cast);
            continue;
          }
          graph.replaceNode(held.node, cast);
        }
        graph.addInitializer(data);
      }
      if (casts.length > 0) graph.insertFirst(...casts);
      graph.setTypes(new Set([...entries].flatMap(([name, one]) => (one.form === 'half' ? [name] : []))), 'float16');
    }
    return made;
  }

  async #halved(held: Constant, name: string): Promise<Tensor> {
    const { kind } = await this.#fits.of(held.tensor);
    const data = kind === 'bound' ? bounded(held.tensor, name, 'float16') : (await encodeHalf(held.tensor, name)).data;
    return madeFrom(held, data);
  }
}
