/** Lengths of groups that are looked at; the others are of no used by any hardware. */
const GROUPS = [4, 8] as const;

/**
 * Finds N:M sparsity: of every M neighbours along an axis at most N are not zero. 2:4 is what the sparse tensor cores
 * of GPUs take.
 * @see Mishra et al., "Accelerating Sparse Deep Neural Networks", https://arxiv.org/abs/2104.08378
 */
export class PatternOf {
  readonly #length: number;
  readonly #inner: number;
  /** By group length: elements that are not zero in each group that is open, and the most that any had. */
  readonly #open = new Map<number, Uint8Array>();
  readonly #most = new Map<number, number>(GROUPS.map((group) => [group, 0]));
  #along = 0;
  #within = 0;

  /**
   * @param length - elements along the axis the groups run along; a length that groups do not divide has no pattern
   * @param inner - distance of two neighbours along it; 1 where the axis is the last
   */
  constructor(length: number, inner: number) {
    this.#length = length;
    this.#inner = inner;
    for (const group of GROUPS) if (length % group === 0) this.#open.set(group, new Uint8Array(inner));
  }

  /** Takes the next elements; does nothing once no pattern is possible. */
  add(data: Float32Array): void {
    const [start, first] = [this.#within, this.#along];
    for (const group of [...this.#open.keys()]) {
      [this.#within, this.#along] = [start, first];
      if (!this.#count(data, group)) this.#open.delete(group);
    }
  }

  /** `1:4`, `2:4` or, where neither is, `1:8` to `4:8`; undefined if no pattern leaves out half of the elements. */
  pattern(): string | undefined {
    for (const group of this.#open.keys()) {
      const most = this.#most.get(group) ?? 0;
      if (most > 0) return `${most}:${group}`;
    }
    return undefined;
  }

  /** False where a group is more than half full: there is no such pattern. */
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
