import { positions, type Walk } from './shape.ts';

/** The elements of a walk over `bytes`, each of `size` bytes. */
export function pick(bytes: Uint8Array, size: number, walk: Walk): Uint8Array {
  // Copy whole runs: trailing axes whose elements are contiguous are merged.
  let [run, base] = [1, walk.base];
  let kept = walk.steps.length;
  for (; kept > 0; kept--) {
    const step = walk.steps[kept - 1] as Int32Array;
    if (!isRun(step, run)) break;
    run *= step.length;
    base += step[0] ?? 0;
  }
  const starts = positions({ base, steps: walk.steps.slice(0, kept) });
  const out = new Uint8Array(starts.length * run * size);
  if (run === 1 && size === 4 && bytes.byteOffset % 4 === 0) {
    const [from, to] = [
      new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2),
      new Uint32Array(out.buffer),
    ];
    for (let at = 0; at < starts.length; at++) to[at] = from[starts[at] as number] as number;
    return out;
  }
  const length = run * size;
  for (let at = 0; at < starts.length; at++) {
    const start = (starts[at] as number) * size;
    out.set(bytes.subarray(start, start + length), at * length);
  }
  return out;
}

/** Whether the steps go through contiguous runs of `length` elements. */
function isRun(steps: Int32Array, length: number): boolean {
  const [first = 0] = steps;
  return steps.every((one, index) => one === first + index * length);
}

/** The first element of a walk whose elements are contiguous; undefined if they are not. */
export function runOf({ base, steps }: Walk): number | undefined {
  let [run, start] = [1, base];
  for (const step of [...steps].reverse()) {
    if (!isRun(step, run)) return undefined;
    start += step[0] ?? 0;
    run *= step.length;
  }
  return start;
}

/**
 * Concatenates tensors along an axis.
 * @param parts - bytes of each, and bytes of one of its rows: its length along the axis times all later axes
 * @param outer - number of rows
 */
export function join(
  parts: readonly { readonly bytes: Uint8Array; readonly row: number }[],
  outer: number,
): Uint8Array {
  const row = parts.reduce((sum, one) => sum + one.row, 0);
  const out = new Uint8Array(outer * row);
  let start = 0;
  for (const part of parts) {
    for (let index = 0; index < outer; index++) {
      out.set(part.bytes.subarray(index * part.row, (index + 1) * part.row), index * row + start);
    }
    start += part.row;
  }
  return out;
}

/** `length` bytes of one repeated element. */
export function filled(element: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let at = 0; at < length; at += element.byteLength) out.set(element, at);
  return out;
}

/** Writes the elements of `bytes` to the positions of a walk in `target`. */
export function place(target: Uint8Array, bytes: Uint8Array, size: number, walk: Walk): void {
  positions(walk).forEach((to, index) => {
    target.set(bytes.subarray(index * size, (index + 1) * size), to * size);
  });
}
