import { safeInteger } from '../../../ir/integers.ts';
import { attribute, bigintsAttribute, type Node } from '../../../ir/node.ts';
import type { Analysis, Rule, Rules } from '../analysis.ts';
import { type Dim, known, same, sizeOf } from '../dims.ts';
import type { Axis } from '../space.ts';
import type { View } from '../structure.ts';
import { axisOf, type Element, type Value } from '../values.ts';
import { setAttribute, setInput } from './write.ts';

/** With step 1, a run of channels, whose ends are updated. Other slices pin their axis. */
const slice: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const cuts = x === undefined ? undefined : cutsOf(a, node, x);
  if (x === undefined || cuts === undefined) {
    a.giveUp(node, 'slices a value of unknown shape, or along computed axes');
    return;
  }
  const dims = [...x.dims];
  const axes = [...x.axes];
  const moved: (Moved | undefined)[] = cuts.map(() => undefined);
  // All starts and ends are updated together, which computed ones cannot be.
  const computed = cuts.some(({ start, end }) => start.at === undefined || end.at === undefined);
  cuts.forEach((cut, index) => {
    const size = sizeOf(x.dims[cut.axis]);
    const axis = x.axes[cut.axis];
    const range = size === undefined ? undefined : rangeOf(cut, size);
    if (range !== undefined && cut.step === 1) {
      if (computed) a.space.pin(axis, a.because(node, 'slices them at computed positions'));
      dims[cut.axis] = known(range.end - range.start);
      axes[cut.axis] = axis?.subarray(range.start, range.end);
      if (axis !== undefined) moved[index] = { channels: axis, ...range };
      return;
    }
    dims[cut.axis] = lengthOf(a, cut, x.dims[cut.axis] as Dim);
    axes[cut.axis] = undefined;
    a.space.pin(axis, a.because(node, 'slices them'));
  });
  const elements = x.elements && elementsOf(x.elements, cuts);
  if (elements === undefined) a.pinReads(node, x.elements);
  a.put(node, { dims, axes, ...(elements === undefined ? {} : { elements }) });
  const ends = cuts.flatMap(({ start, end }) => [start.element, end.element]).filter((one) => one !== undefined);
  if (computed) a.pinReads(node, ends);
  const reads = ends.flatMap((one) => one.reads);
  a.edit(node, [...moved.map((one) => one?.channels), ...reads], (view) => {
    const places = cuts.map((cut, index) => placesLeft(cut, moved[index], view));
    return written(a, node, places, view);
  });
};

export const slicing: Rules = { Slice: slice };

/** Exporters write "to the end" as the largest integer of 32 or 64 bits. */
const ENDLESS = 2 ** 31 - 1;

/** The start or end of a slice. */
interface Bound {
  /** Undefined where it is computed. */
  readonly at: number | undefined;
  /** As the model states it. */
  readonly exact: bigint | undefined;
  /** As an input has it. */
  readonly element: Element | undefined;
}

interface Cut {
  readonly axis: number;
  readonly start: Bound;
  readonly end: Bound;
  readonly step: number;
}

/** A run of an axis with removable channels. */
interface Moved {
  readonly channels: Axis;
  readonly start: number;
  readonly end: number;
}

function cutsOf(a: Analysis, node: Node, x: Value): Cut[] | undefined {
  const [starts, ends] = [placesOf(a, node, 1, 'starts'), placesOf(a, node, 2, 'ends')];
  const axes = settingsOf(
    a,
    node,
    3,
    starts?.map((_, index) => index),
  );
  const steps = settingsOf(
    a,
    node,
    4,
    starts?.map(() => 1),
  );
  if (starts === undefined || ends === undefined || axes === undefined || steps === undefined) return undefined;
  const places = axes.map((one) => axisOf(x, one));
  if (new Set(places).size !== places.length || [ends, axes, steps].some((one) => one.length !== starts.length)) {
    return undefined;
  }
  return places.map((axis, index) => {
    const [start, end] = [starts[index] as Bound, ends[index] as Bound];
    return { axis, start, end, step: steps[index] as number };
  });
}

/** Up to opset 9 they are attributes. */
function placesOf(a: Analysis, node: Node, index: number, name: string): Bound[] | undefined {
  if (a.model.opset < 10) {
    return bigintsAttribute(node, name)?.map((exact) => ({ at: safeInteger(exact), exact, element: undefined }));
  }
  const exact = a.stated(node, index);
  return a.value(node.inputs[index])?.elements?.map((element, place) => {
    return { at: sizeOf(element.dim), exact: exact?.[place], element };
  });
}

/** Axes or steps; `absent` if the node has none. */
function settingsOf(a: Analysis, node: Node, index: number, absent: number[] | undefined): number[] | undefined {
  if (a.model.opset < 10) return index === 3 ? (bigintsAttribute(node, 'axes')?.map(safeInteger) ?? absent) : absent;
  if ((node.inputs[index] ?? '') === '') return absent;
  const list = a.settings(node, index);
  return list?.every((one) => one !== undefined) ? list : undefined;
}

function rangeOf({ start, end }: Cut, size: number): { start: number; end: number } | undefined {
  if (start.at === undefined || end.at === undefined) return undefined;
  const clamp = (value: number): number => Math.min(Math.max(value < 0 ? value + size : value, 0), size);
  const from = clamp(start.at);
  return { start: from, end: Math.max(from, clamp(end.at)) };
}

/** The remaining length if it is not a known number. */
function lengthOf(a: Analysis, { start, end, step }: Cut, dim: Dim): Dim {
  const [size, until] = [sizeOf(dim), end.element?.dim];
  if (step !== 1 || start.at !== 0) return a.openDim();
  if ((end.at ?? 0) >= ENDLESS || (until !== undefined && same(until, dim))) return dim;
  // If both ends are symbolic, nothing is known.
  return size === undefined || until === undefined || until.factor < 0 ? a.openDim() : a.atMost(until, size);
}

function elementsOf(elements: readonly Element[], [cut, ...more]: readonly Cut[]): readonly Element[] | undefined {
  const range = cut === undefined || more.length > 0 ? undefined : rangeOf(cut, elements.length);
  return range === undefined || cut?.step !== 1 ? undefined : elements.slice(range.start, range.end);
}

/** Start and end of a slice after channels are removed; as stated if none can be. */
function placesLeft({ start, end }: Cut, moved: Moved | undefined, view: View): [bigint, bigint] {
  const stated = ({ exact, at }: Bound): bigint => exact ?? BigInt(at ?? 0);
  if (moved === undefined) return [stated(start), stated(end)];
  const before = (place: number): bigint => BigInt(view.kept(moved.channels).filter((kept) => kept < place).length);
  return [before(moved.start), before(moved.end)];
}

/** Starts and ends must have the data type of axes and steps. */
function written(
  a: Analysis,
  node: Node,
  places: readonly (readonly [bigint, bigint])[],
  view: View,
): Partial<Pick<Node, 'inputs' | 'attributes'>> {
  const [starts, ends] = [places.map(([start]) => start), places.map(([, end]) => end)];
  if (a.model.opset < 10) {
    const attributes = setAttribute(node, attribute.ints('starts', starts));
    return { attributes: setAttribute({ ...node, attributes }, attribute.ints('ends', ends)) };
  }
  const types = node.inputs.slice(1).map((name) => a.dtypeOf(name));
  const dtype = types.includes('int32') ? 'int32' : 'int64';
  const inputs = setInput(node, 1, view.ints(`${node.outputs[0]}_starts`, starts, dtype));
  return { inputs: setInput({ ...node, inputs }, 2, view.ints(`${node.outputs[0]}_ends`, ends, dtype)) };
}
