/** A length that may rest on lengths the file leaves open: `factor · Π symbols`. */
export interface Dim {
  readonly factor: number;
  /** Sorted, so that equal lengths look equal. */
  readonly symbols: readonly string[];
}

/** A length that is known. */
export function known(factor: number): Dim {
  return { factor, symbols: [] };
}

/** A length that is open. */
export function open(symbol: string): Dim {
  return { factor: 1, symbols: [symbol] };
}

/** The length as a number, or undefined where it is open. */
export function sizeOf(dim: Dim | undefined): number | undefined {
  return dim !== undefined && dim.symbols.length === 0 ? dim.factor : undefined;
}

/** Whether two lengths are the same whatever the open ones are. */
export function same(a: Dim, b: Dim): boolean {
  return (
    a.factor === b.factor &&
    a.symbols.length === b.symbols.length &&
    a.symbols.every((one, index) => one === b.symbols[index])
  );
}

export function times(a: Dim, b: Dim): Dim {
  return { factor: a.factor * b.factor, symbols: [...a.symbols, ...b.symbols].sort() };
}

/** The product of lengths; 1 for none. */
export function product(dims: readonly Dim[]): Dim {
  return dims.reduce(times, known(1));
}

/** `a / b` where that is a whole length, whatever the open ones are. */
export function over(a: Dim, b: Dim): Dim | undefined {
  if (b.factor === 0 || a.factor % b.factor !== 0) return undefined;
  const left = [...a.symbols];
  for (const symbol of b.symbols) {
    const at = left.indexOf(symbol);
    if (at < 0) return undefined;
    left.splice(at, 1);
  }
  return { factor: a.factor / b.factor, symbols: left };
}
