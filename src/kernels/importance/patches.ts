/** How a convolution walks over its input, each list an entry for each spatial axis. */
export interface PatchGeometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** As ONNX has it: all begins, then all ends. Ignored where `autoPad` says how to pad. */
  readonly pads: readonly number[];
  readonly autoPad: 'NOTSET' | 'VALID' | 'SAME_UPPER' | 'SAME_LOWER';
  readonly groups: number;
  /** Order of a patch's elements: channel by channel, as weights lie, or all channels of each tap together. */
  readonly order: 'channels_first' | 'channels_last';
}

/** What one spatial axis has: `before` zeros ahead of it, and how many places the kernel stops at. */
interface Axis {
  readonly before: number;
  readonly stops: number;
}

/** Places a kernel may stop at in one image: pads of a broken file could ask for any number. An image of 4096² has as many. */
const MAX_STOPS: number = 2 ** 24;

/** A row, and the group of channels it is of. */
export interface Patch {
  readonly group: number;
  /** `C/groups · ∏kernel` elements, overwritten by the next patch. */
  readonly row: Float32Array;
}

/**
 * The rows a convolution multiplies its weights with (im2col): for each place of the kernel, image and group, the input
 * elements under it, zeros where it hangs over the edge.
 *
 * @param data - `[N, C, …spatial]`, row-major
 * @returns nothing where there are too many places
 * @see https://onnx.ai/onnx/operators/onnx__Conv.html
 */
export function* patches(data: Float32Array, dims: readonly number[], geometry: PatchGeometry): Generator<Patch> {
  const [images = 0, channels = 0, ...spatial] = dims;
  const { kernel, groups } = geometry;
  const axes = spatial.map((size, axis) => axisOf(size, axis, geometry));
  const plane = product(spatial);
  const own = channels / groups;
  const taps = product(kernel);
  const row = new Float32Array(own * taps);
  const [channelStep, tapStep] = geometry.order === 'channels_first' ? [taps, 1] : [1, own];
  const offsets = new Int32Array(taps);
  for (const stop of stopsOf(axes)) {
    for (let tap = 0; tap < taps; tap++) offsets[tap] = offsetOf(tap, stop, spatial, axes, geometry);
    for (let image = 0; image < images; image++) {
      for (let group = 0; group < groups; group++) {
        for (let channel = 0; channel < own; channel++) {
          const base = ((image * groups + group) * own + channel) * plane;
          for (let tap = 0, at = channel * channelStep; tap < taps; tap++, at += tapStep) {
            const offset = offsets[tap] as number;
            row[at] = offset < 0 ? 0 : (data[base + offset] as number);
          }
        }
        yield { group, row };
      }
    }
  }
}

function axisOf(size: number, axis: number, { kernel, strides, dilations, pads, autoPad }: PatchGeometry): Axis {
  const reach = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
  const stride = strides[axis] ?? 1;
  if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
    const stops = Math.ceil(size / stride);
    const all = Math.max(0, (stops - 1) * stride + reach - size);
    return { before: autoPad === 'SAME_UPPER' ? Math.floor(all / 2) : Math.ceil(all / 2), stops };
  }
  const before = autoPad === 'VALID' ? 0 : (pads[axis] ?? 0);
  const after = autoPad === 'VALID' ? 0 : (pads[axis + kernel.length] ?? 0);
  return { before, stops: Math.max(0, Math.floor((size + before + after - reach) / stride) + 1) };
}

/** Each place of the kernel, an index for each axis, the last one fastest. */
function* stopsOf(axes: readonly Axis[]): Generator<readonly number[]> {
  const count = product(axes.map((one) => one.stops));
  if (count === 0 || count > MAX_STOPS) return;
  const stop = axes.map(() => 0);
  let axis = 0;
  while (axis >= 0) {
    yield stop;
    for (axis = axes.length - 1; axis >= 0; axis--) {
      const next = (stop[axis] as number) + 1;
      stop[axis] = next < (axes[axis] as Axis).stops ? next : 0;
      if (stop[axis] !== 0) break;
    }
  }
}

/** Where in a channel a tap reads when the kernel stops there; −1 outside. */
function offsetOf(
  tap: number,
  stop: readonly number[],
  spatial: readonly number[],
  axes: readonly Axis[],
  { kernel, strides, dilations }: PatchGeometry,
): number {
  let offset = 0;
  let step = 1;
  let left = tap;
  for (let axis = kernel.length - 1; axis >= 0; axis--) {
    const size = kernel[axis] as number;
    const inside = left % size;
    left = Math.floor(left / size);
    const place =
      (stop[axis] as number) * (strides[axis] ?? 1) + inside * (dilations[axis] ?? 1) - (axes[axis] as Axis).before;
    const extent = spatial[axis] as number;
    if (place < 0 || place >= extent) return -1;
    offset += place * step;
    step *= extent;
  }
  return offset;
}

function product(list: readonly number[]): number {
  return list.reduce((a, b) => a * b, 1);
}
