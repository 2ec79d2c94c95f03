/** A length that may depend on symbolic dimensions: `factor · Π symbols`. */
export interface Dim {
  readonly factor: number;
  /** Sorted, so that equal lengths look equal. */
  readonly symbols: readonly string[];
}

/** A known length. */
export function known(factor: number): Dim {
  return { factor, symbols: [] };
}

/** A symbolic length. */
export function open(symbol: string): Dim {
  return { factor: 1, symbols: [symbol] };
}

/** The length as a number, or undefined if it is open. */
export function sizeOf(dim: Dim | undefined): number | undefined {
  return dim !== undefined && dim.symbols.length === 0 ? dim.factor : undefined;
}

/** Whether two lengths are equal for all values of the symbols. */
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

/**
 * The sum of two lengths. Factors of the same symbols are added; any other sum is a new symbol, which equal sums share.
 * Undefined if its name becomes too long.
 */
export function plus(a: Dim | undefined, b: Dim | undefined): Dim | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (same({ ...a, factor: 1 }, { ...b, factor: 1 })) return { ...a, factor: a.factor + b.factor };
  const symbol = `(${[a, b].map(written).sort().join(' + ')})`;
  return symbol.length > MAX_SYMBOL ? undefined : open(symbol);
}

/** The minimum of a length and a number. */
export function lesser(a: Dim, most: number): Dim | undefined {
  const symbol = `${written(a)} ≤ ${most}`;
  return symbol.length > MAX_SYMBOL ? undefined : open(symbol);
}

/** Longest name of a derived symbol: names that nest without end would fill the memory. */
const MAX_SYMBOL = 256;

function written({ factor, symbols }: Dim): string {
  return [factor, ...symbols].join('·');
}

/** The product of lengths; 1 for none. */
export function product(dims: readonly Dim[]): Dim {
  return dims.reduce(times, known(1));
}

/** `a / b` if that is a whole number for all values of the symbols. */
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
