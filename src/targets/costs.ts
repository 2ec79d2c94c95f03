import { type Fact, MEASURED } from './fact.ts';

/** The benchmark of ONNX Runtime's integer kernels against float ones on CPUs. */
const BENCHMARK = 'benchmarks/ort-kernels.js';

export const dynamicProduct: Fact<{ readonly least: number; readonly widest: number }> = {
  says:
    'DynamicQuantizeMatMul of [M, K] · [K, N] is faster than a float MatMul if √M · K · min(N, widest · K) is at ' +
    'least `least`: it has to quantize the activation first and scale every column of the result.',
  ...{ source: BENCHMARK, version: MEASURED, value: { least: 65536, widest: 4 } },
};

export const blockedProduct: Fact<{ readonly most: number; readonly least: number }> = {
  says:
    'MatMulNBits with 8 bits is faster than a float MatMul for up to `most` rows and a weight of at least `least` ' +
    'elements: it reads a quarter of the bytes, but computes more slowly.',
  ...{ source: 'benchmarks/zoo/products.py', version: MEASURED, value: { most: 8, least: 2 ** 18 } },
};

/**
 * Whether MatMulNBits is no slower than the float product.
 * @param rows - rows of the activation as the file states them; at least 1
 * @param inputs - length of the summed axis
 */
export function blockedPays(rows: number, inputs: number, outputs: number): boolean {
  const { most, least } = blockedProduct.value;
  return rows <= most && inputs * outputs >= least;
}

/**
 * Whether a product with dynamically quantized activations is no slower than the float product.
 * @param rows - rows of the activation as the file states them; at least 1
 * @param inputs - length of the summed axis
 */
export function dynamicPays(rows: number, inputs: number, outputs: number): boolean {
  const { least, widest } = dynamicProduct.value;
  return Math.sqrt(rows) * inputs * Math.min(outputs, widest * inputs) >= least;
}

/** Microseconds of a Conv kernel: a fixed start, and a cost per unit. */
export interface ConvCosts {
  readonly start: number;
  /** Per output element. */
  readonly output: number;
  /** Per element under the kernel, if the kernel has more than one tap. */
  readonly patch: number;
  /** Per multiplication, with output channels rounded up to full `lanes`. */
  readonly product: number;
}

/** Microseconds of a Gemm: a fixed start, then per weight in the cache, per other weight, and per multiplication. */
export interface GemmCosts {
  readonly start: number;
  readonly near: number;
  readonly far: number;
  readonly product: number;
}

/** Microseconds of float and integer kernels. */
export interface StaticCosts {
  readonly conv: { readonly float: ConvCosts; readonly integer: ConvCosts };
  /** Channels that a kernel processes at a time. */
  readonly lanes: number;
  /**
   * A Conv gains nothing if it has fewer outputs than `lanes`, or fewer inputs than `lanes` and sums fewer products
   * than this.
   */
  readonly few: number;
  /** A depthwise Conv: per tap, and per tap and channel. */
  readonly depthwise: {
    readonly float: { readonly start: number; readonly place: number; readonly product: number };
    readonly integer: { readonly start: number; readonly place: number; readonly product: number };
  };
  /** Time of a grouped Conv on integers relative to float. */
  readonly groups: number;
  readonly gemm: { readonly float: GemmCosts; readonly integer: GemmCosts };
  /** Elements of a Gemm's weight that stay in the cache between runs. */
  readonly near: number;
  /**
   * Per element under the kernel, for each output; integers also take `place` per element, however many channels there
   * are.
   */
  readonly maxPool: { readonly float: number; readonly integer: number; readonly place: number };
  /** Per output element of Add and Concat. */
  readonly join: { readonly float: number; readonly integer: number };
  /** A QuantizeLinear or DequantizeLinear, including the layout change. */
  readonly border: { readonly start: number; readonly element: number };
  /** Safety factor: integers are used only if the estimate says they are this many times faster. */
  readonly doubt: number;
}

export const staticCosts: Fact<StaticCosts> = {
  says:
    'Convs run in float with channels in blocks, on integers with channels last. Integers are faster if many ' +
    'products are summed, and slower for depthwise filters, few channels and small values, where the conversions ' +
    'around them take longer.',
  ...{ source: BENCHMARK, version: MEASURED },
  value: {
    conv: {
      float: { start: 0.6, output: 5e-5, patch: 0, product: 1.2e-5 },
      integer: { start: 1.2, output: 1.4e-4, patch: 6.2e-5, product: 2.4e-6 },
    },
    ...{ lanes: 16, few: 128 },
    depthwise: {
      float: { start: 0.9, place: 0, product: 3e-5 },
      integer: { start: 1.6, place: 1.1e-3, product: 3.1e-5 },
    },
    groups: 2,
    gemm: {
      float: { start: 0.5, near: 5.5e-5, far: 1.5e-4, product: 1.2e-5 },
      integer: { start: 1.1, near: 2e-5, far: 5e-5, product: 3.5e-6 },
    },
    near: 32768,
    maxPool: { float: 2.6e-5, integer: 2.2e-5, place: 1.2e-3 },
    join: { float: 1.5e-4, integer: 1.3e-4 },
    border: { start: 3, element: 7e-4 },
    doubt: 1.15,
  },
};

/** Times of a kernel, in microseconds. */
export interface Times {
  readonly float: number;
  readonly integer: number;
}

/** The properties of a Conv that determine its time. */
export interface ConvShape {
  /** Output elements per channel. */
  readonly places: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Elements of the kernel. */
  readonly taps: number;
  readonly groups: number;
}

/** Times of a Conv. Plain, grouped and depthwise ones have different kernels. */
export function convTimes(shape: ConvShape): Times {
  const { places, inputs, outputs, taps, groups } = shape;
  const { conv, depthwise, groups: slower, lanes, few } = staticCosts.value;
  const full = (channels: number): number => Math.ceil(channels / lanes) * lanes;
  if (groups > 1 && groups === inputs) {
    const time = ({ start, place, product }: typeof depthwise.float, channels: number): number =>
      start + places * taps * (place + product * channels);
    return { float: time(depthwise.float, full(outputs)), integer: time(depthwise.integer, outputs) };
  }
  const summed = (inputs / groups) * taps;
  const products = (places * summed * full(outputs)) / lanes;
  const time = (costs: ConvCosts): number =>
    costs.start +
    costs.output * places * outputs +
    costs.patch * (taps > 1 ? places * inputs * taps : 0) +
    costs.product * lanes * products;
  const float = time(conv.float);
  if (groups > 1) return { float, integer: slower * float };
  const narrow = outputs < lanes || (inputs < lanes && summed < few);
  return { float, integer: narrow ? Math.max(float, time(conv.integer)) : time(conv.integer) };
}

/** Times of a Gemm. */
export function gemmTimes(rows: number, inputs: number, outputs: number): Times {
  const { gemm, near } = staticCosts.value;
  const weights = inputs * outputs;
  const time = (costs: GemmCosts): number =>
    costs.start +
    costs.near * Math.min(near, weights) +
    costs.far * Math.max(0, weights - near) +
    costs.product * rows * weights;
  return { float: time(gemm.float), integer: time(gemm.integer) };
}

/** Times of a MaxPool. @param places - elements under the kernel */
export function maxPoolTimes(elements: number, channels: number, places: number): Times {
  const { float, integer, place } = staticCosts.value.maxPool;
  return { float: elements * places * float, integer: elements * places * (integer + place / channels) };
}

/** Times of an Add or Concat. */
export function joinTimes(elements: number): Times {
  const { float, integer } = staticCosts.value.join;
  return { float: elements * float, integer: elements * integer };
}

/** Time of a QuantizeLinear or DequantizeLinear. */
export function borderTime(elements: number): number {
  const { start, element } = staticCosts.value.border;
  return start + elements * element;
}
