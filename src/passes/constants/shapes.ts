import { intAttribute, intsAttribute, type Node, stringAttribute } from '../../ir/node.ts';

/** A number that may be unknown. */
export type Open = number | undefined;

/** The output dims of a Conv on `[batch, channels, …]`; unknown where its padding is not stated in numbers. */
export function convolved(
  node: Node,
  dims: readonly Open[] | undefined,
  weight: readonly Open[] | undefined,
): readonly Open[] | undefined {
  const taps = weight?.slice(2);
  if (dims === undefined || weight === undefined || taps?.length !== dims.length - 2) return undefined;
  const padding = stringAttribute(node, 'auto_pad', 'NOTSET');
  const each = (name: string, axis: number, otherwise: number): number =>
    intsAttribute(node, name)?.[axis] ?? otherwise;
  const space = taps.map((tap, axis): Open => {
    const from = dims[axis + 2];
    if (from === undefined || tap === undefined || (padding !== 'NOTSET' && padding !== 'VALID')) return undefined;
    const pads = padding === 'VALID' ? 0 : each('pads', axis, 0) + each('pads', axis + taps.length, 0);
    return Math.floor((from + pads - each('dilations', axis, 1) * (tap - 1) - 1) / each('strides', axis, 1)) + 1;
  });
  return [dims[0], weight[0], ...space];
}

/** The output dims of a Reshape: 0 copies a dim, −1 is inferred if all others are known. */
export function reshaped(
  node: Node,
  dims: readonly Open[] | undefined,
  wanted: readonly Open[] | undefined,
): readonly Open[] | undefined {
  if (wanted === undefined) return undefined;
  const takes = intAttribute(node, 'allowzero', 0) === 0;
  const made = wanted.map((dim, axis) => (dim === 0 && takes ? dims?.[axis] : dim));
  const all = (list: readonly Open[] = [undefined]): Open => list.reduce<Open>(times, 1);
  const [whole, given] = [all(dims), all(made.filter((dim) => dim !== -1))];
  const left = whole === undefined || given === undefined || given === 0 ? undefined : whole / given;
  return made.map((dim) => (dim === -1 ? left : dim));
}

/** The product; unknown if either factor is. */
export function times(a: Open, b: Open): Open {
  return a === undefined || b === undefined ? undefined : a * b;
}
