import type { DType } from './dtype.ts';

/**
 * A named value with its type: a graph input, a graph output or an intermediate value. Dimensions may be symbolic or
 * unknown.
 */
export interface ValueInfo {
  readonly name: string;
  readonly dtype?: DType;
  /** Undefined if the rank is unknown; an entry is undefined if that dimension is unknown. */
  readonly dims?: readonly (number | string | undefined)[];
}

/** The inputs of a graph, in the order of the file and by name; new ones at the end. */
export class InputTable {
  #list: readonly ValueInfo[];
  readonly #byName: Map<string, ValueInfo>;

  constructor(list: readonly ValueInfo[]) {
    this.#list = [...list];
    this.#byName = new Map(list.map((one) => [one.name, one]));
  }

  get list(): readonly ValueInfo[] {
    return this.#list;
  }

  get(name: string): ValueInfo | undefined {
    return this.#byName.get(name);
  }

  /** Adds an input, or replaces the one of the same name in its place. */
  set(input: ValueInfo): void {
    const { name } = input;
    if (!this.#byName.has(name)) this.#list = [...this.#list, input];
    else this.#list = this.#list.map((one) => (one.name === name ? input : one));
    this.#byName.set(name, input);
  }

  remove(name: string): void {
    if (!this.#byName.delete(name)) return;
    this.#list = this.#list.filter((one) => one.name !== name);
  }
}

/** Whether a stated type is compatible with an actual one. An unknown dimension is compatible with any length. */
export function allows(info: ValueInfo, type: { readonly dtype: DType; readonly dims: readonly number[] }): boolean {
  if (info.dtype !== undefined && info.dtype !== type.dtype) return false;
  if (info.dims === undefined) return true;
  return (
    info.dims.length === type.dims.length &&
    info.dims.every((dim, axis) => typeof dim !== 'number' || dim === type.dims[axis])
  );
}
