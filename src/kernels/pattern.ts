/** Group lengths to check; no hardware uses others. */
const GROUPS = [4, 8] as const;

/**
 * Detects N:M sparsity: at most N of every M neighbours along an axis are nonzero. Sparse tensor cores of GPUs use 2:4.
 * @see Mishra et al., "Accelerating Sparse Deep Neural Networks", https://arxiv.org/abs/2104.08378
 */
export class PatternOf {
  readonly #length: number;
  readonly #inner: number;
  /** By group length: nonzero elements in each open group, and the maximum in any group. */
  readonly #open = new Map<number, Uint8Array>();
  readonly #most = new Map<number, number>(GROUPS.map((group) => [group, 0]));
  #along = 0;
  #within = 0;

  /**
   * @param length - elements along the axis of the groups; a length that is not a multiple of a group has no pattern
   * @param inner - distance of two neighbours along it; 1 for the last axis
   */
  constructor(length: number, inner: number) {
    this.#length = length;
    this.#inner = inner;
    for (const group of GROUPS) if (length % group === 0) this.#open.set(group, new Uint8Array(inner));
  }

  /** Adds the next elements; does nothing once no pattern is possible. */
  add(data: Float32Array): void {
    const [start, first] = [this.#within, this.#along];
    for (const group of [...this.#open.keys()]) {
      [this.#within, this.#along] = [start, first];
      if (!this.#count(data, group)) this.#open.delete(group);
    }
  }

  /** `1:4`, `2:4`, otherwise `1:8` to `4:8`; undefined if no pattern has at least half of the elements zero. */
  pattern(): string | undefined {
    for (const group of this.#open.keys()) {
      const most = this.#most.get(group) ?? 0;
      if (most > 0) return `${most}:${group}`;
    }
    return undefined;
  }

  /** False if a group is more than half full, so that no pattern is possible. */
  #count(data: Float32Array, group: number): boolean {
    const open = this.#open.get(group) as Uint8Array;
    const [length, inner] = [this.#length, this.#inner];
    let [within, along, most] = [this.#within, this.#along, this.#most.get(group) ?? 0];
    for (let index = 0; index < data.length; index++) {
      if (along % group === 0) open[within] = 0;
      if (data[index] !== 0) {
        const count = (open[within] as number) + 1;
        if (2 * count > group) return false;
        open[within] = count;
        if (count > most) most = count;
      }
      if (++within === inner) {
        within = 0;
        if (++along === length) along = 0;
      }
    }
    this.#most.set(group, most);
    [this.#within, this.#along] = [within, along];
    return true;
  }
}
