/** Names that are taken, and where to go on counting for each name that was asked for twice. */
export class NameTable {
  readonly #next = new Map<string, number>();

  add(name: string): void {
    if (!this.#next.has(name)) this.#next.set(name, 1);
  }

  /** `base`, or the first of `base_1`, `base_2`, … that is free; taken from now on. */
  unique(base: string): string {
    let name = base;
    let count = this.#next.get(base);
    if (count !== undefined) {
      do name = `${base}_${count++}`;
      while (this.#next.has(name));
      this.#next.set(base, count);
    }
    this.#next.set(name, 1);
    return name;
  }
}
