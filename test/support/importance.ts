/** Wanda and SparseGPT as in the papers, in plain loops over nested arrays, and activations for them. */
import type { Activations, SumRequest, Sums } from '../../src/activations/requests.ts';

export type Rows = readonly (readonly number[])[];

/** A⁻¹ by Gauss-Jordan elimination with pivots. `[n, n]`, row-major. */
export function inverse(a: ArrayLike<number>, n: number): Float64Array {
  const rows = Array.from({ length: n }, (_, i) =>
    Array.from({ length: 2 * n }, (_, j) => (j < n ? (a[i * n + j] as number) : j - n === i ? 1 : 0)),
  );
  const at = (i: number): number[] => rows[i] as number[];
  for (let column = 0; column < n; column++) {
    let best = column;
    for (let i = column; i < n; i++) {
      if (Math.abs(at(i)[column] as number) > Math.abs(at(best)[column] as number)) best = i;
    }
    [rows[column], rows[best]] = [at(best), at(column)];
    const pivot = at(column)[column] as number;
    for (let j = 0; j < 2 * n; j++) at(column)[j] = (at(column)[j] as number) / pivot;
    for (let i = 0; i < n; i++) {
      const factor = at(i)[column] as number;
      if (i === column) continue;
      for (let j = 0; j < 2 * n; j++) at(i)[j] = (at(i)[j] as number) - factor * (at(column)[j] as number);
    }
  }
  return Float64Array.from(rows.flatMap((row) => row.slice(n)));
}

/** Upper triangular U with `A = UᵀU`. */
export function upperFactor(a: ArrayLike<number>, n: number): Float64Array {
  const u = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      let sum = a[i * n + j] as number;
      for (let k = 0; k < i; k++) sum -= (u[k * n + i] as number) * (u[k * n + j] as number);
      u[i * n + j] = i === j ? Math.sqrt(sum) : sum / (u[i * n + i] as number);
    }
  }
  return u;
}

/** Rounds half to even, like Python. */
function round(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

/** Positions of the `count` smallest, the earlier of equal ones first. */
function smallest(scores: readonly number[], count: number): number[] {
  const order = scores.map((_, index) => index).sort((a, b) => (scores[a] as number) - (scores[b] as number) || a - b);
  return order.slice(0, Math.max(0, count));
}

/** Wanda. `w`: `[outputs][inputs]`; `x`: `[samples][inputs]`. */
export function naiveWanda(
  w: Rows,
  x: Rows,
  amount: number,
  pattern?: readonly [keep: number, of: number],
): number[][] {
  const columns = w[0]?.length ?? 0;
  const norms = Array.from({ length: columns }, (_, c) =>
    Math.sqrt(x.reduce((sum, row) => sum + (row[c] as number) ** 2, 0)),
  );
  return w.map((row) => {
    const out = [...row];
    const scores = row.map((value, c) => Math.abs(value) * (norms[c] as number));
    if (pattern === undefined) {
      for (const c of smallest(scores, round(amount * columns))) out[c] = 0;
      return out;
    }
    const [keep, of] = pattern;
    for (let start = 0; start < columns; start += of) {
      const part = scores.slice(start, start + of);
      for (const c of smallest(part, part.length - keep)) out[start + c] = 0;
    }
    return out;
  });
}

/** SparseGPT, algorithm 1. `w`: `[outputs][inputs]`; `x`: `[samples][inputs]`. */
export function naiveSparseGpt(
  w: Rows,
  x: Rows,
  amount: number,
  options: {
    readonly pattern?: readonly [keep: number, of: number];
    readonly damping?: number;
    readonly block?: number;
  } = {},
): number[][] {
  const { pattern, damping = 0.01, block = 128 } = options;
  const [rows, columns] = [w.length, w[0]?.length ?? 0];
  const h = new Float64Array(columns * columns);
  for (const row of x) {
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++)
        h[i * columns + j] = (h[i * columns + j] as number) + (row[i] as number) * (row[j] as number);
    }
  }
  const diagonal = (c: number): number => h[c * columns + c] as number;
  const all = Array.from({ length: columns }, (_, c) => c);
  const live = all.filter((c) => diagonal(c) !== 0);
  const mean = live.reduce((sum, c) => sum + diagonal(c), 0) / live.length;
  const dead = all.filter((c) => diagonal(c) === 0);
  for (const c of dead) h[c * columns + c] = mean;
  for (const c of all) h[c * columns + c] = diagonal(c) + damping * mean;
  const u = upperFactor(inverse(h, columns), columns);
  const factor = (i: number, j: number): number => u[i * columns + j] as number;
  const out = w.map((row) => row.map((value, c) => (dead.includes(c) ? 0 : value)));
  const score = (row: number, c: number): number => ((out[row]?.[c] as number) / factor(c, c)) ** 2;
  for (let start = 0; start < columns; start += block) {
    const end = Math.min(start + block, columns);
    const gone = new Set<string>();
    if (pattern === undefined) {
      const places = out.flatMap((_, row) => all.slice(start, end).map((c) => [row, c] as const));
      const count = round(amount * (rows * end)) - round(amount * (rows * start));
      for (const index of smallest(
        places.map(([row, c]) => score(row, c)),
        count,
      ))
        gone.add(String(places[index]));
    }
    const errors = out.map(() => new Map<number, number>());
    for (let c = start; c < end; c++) {
      if (pattern !== undefined && c % pattern[1] === 0) {
        const group = all.slice(c, Math.min(c + pattern[1], columns));
        for (let row = 0; row < rows; row++) {
          const chosen = smallest(
            group.map((one) => score(row, one)),
            group.length - pattern[0],
          );
          for (const index of chosen) gone.add(String([row, group[index]]));
        }
      }
      for (const [row, values] of out.entries()) {
        if (!gone.has(String([row, c]))) continue;
        const error = (values[c] as number) / factor(c, c);
        errors[row]?.set(c, error);
        values[c] = 0;
        for (let j = c + 1; j < end; j++) values[j] = (values[j] as number) - error * factor(c, j);
      }
    }
    for (const [row, values] of out.entries()) {
      for (const [c, error] of errors[row] ?? []) {
        for (let j = end; j < columns; j++) values[j] = (values[j] as number) - error * factor(c, j);
      }
    }
  }
  return out;
}

/** Fixed activations: the vectors of each value, `[samples][inputs]`, in one group. */
export function givenActivations(
  vectors: Readonly<Record<string, Rows>>,
): Activations & { readonly calls: SumRequest[][] } {
  const calls: SumRequest[][] = [];
  return {
    calls,
    async measure(_, wanted) {
      calls.push([...wanted]);
      return wanted.map((one) => momentsOf(one, vectors));
    },
  };
}

function momentsOf({ what, sources, columns }: SumRequest, vectors: Readonly<Record<string, Rows>>): Sums {
  const sums = new Float64Array(what === 'gram' ? columns * columns : columns);
  let count = 0;
  for (const { value, factor } of sources) {
    for (const row of vectors[value] ?? []) {
      count++;
      for (let i = 0; i < columns; i++) {
        if (what === 'squares') sums[i] = (sums[i] as number) + factor * (row[i] as number) ** 2;
        else
          for (let j = 0; j < columns; j++)
            sums[i * columns + j] =
              (sums[i * columns + j] as number) + factor * (row[i] as number) * (row[j] as number);
      }
    }
  }
  return { sums, rows: count };
}

/** A flat list cut into rows. */
export function rowsOf(values: ArrayLike<number>, columns: number): number[][] {
  return Array.from({ length: values.length / columns }, (_, row) =>
    Array.from({ length: columns }, (_, column) => values[row * columns + column] as number),
  );
}
