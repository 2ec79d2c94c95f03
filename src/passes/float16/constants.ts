import { elementCount, type FloatDType, type HalfDType } from '../../ir/dtype.ts';
import { derived, type Tensor } from '../../ir/tensor.ts';
import { LARGEST, type Rounding } from '../../kernels/halves.ts';
import { fromFloat32 } from '../../kernels/rounded.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { type HalfObstacle, obstacle, roundingOf } from '../../schemes/float16.ts';

/** How float16 represents a constant. */
export type Fit =
  | { readonly kind: 'fits' }
  /** Numbers beyond ±65504 that only say "very large": a mask, or a bound that bounds nothing. */
  | { readonly kind: 'bound' }
  | ({ readonly kind: 'obstacle' } & HalfObstacle);

/** The least magnitude of a mask value; smaller numbers are meant exactly. */
const LEAST_BOUND = 99_999;
/** One number is read alone, so that it keeps its digits: a step of float16, of it. */
const LONE_LOSS = 2 ** -10;

const LARGEST_HALF = LARGEST.float16;

/** How 16 bits represent constants. Each constant is read once. */
export class Fits {
  readonly #dtype: HalfDType;
  readonly #known = new Map<Tensor, Promise<Rounding>>();

  constructor(dtype: HalfDType) {
    this.#dtype = dtype;
  }

  rounding(tensor: Tensor): Promise<Rounding> {
    const found = this.#known.get(tensor) ?? roundingOf(tensor, this.#dtype);
    this.#known.set(tensor, found);
    return found;
  }

  /** How float16 represents a constant that a node computes with. */
  async of(tensor: Tensor): Promise<Fit> {
    const rounding = await this.rounding(tensor);
    if (rounding.largest > LARGEST_HALF && rounding.leastBeyond >= LEAST_BOUND) return { kind: 'bound' };
    const lone = elementCount(tensor.dims) === 1;
    // Half a step is what a number of normal size may lose; one that is nearly so large is no reason to keep it.
    const few = lone && Math.sqrt(rounding.noise / (rounding.signal || 1)) <= LONE_LOSS;
    const why = few && rounding.largest <= LARGEST_HALF ? undefined : obstacle(rounding, this.#dtype);
    return why === undefined ? { kind: 'fits' } : { kind: 'obstacle', ...why };
  }
}

/**
 * A constant with its finite numbers clamped to the range of float16: infinity would turn a fully masked row into NaN.
 */
export function bounded(tensor: Tensor, name: string, dtype: 'float16' | 'float32'): Tensor {
  const compute = async (): Promise<ArrayBufferView> => {
    const values = toFloat32(await tensor.load(), tensor.dtype as FloatDType);
    return fromFloat32(
      values.map((one) => (Number.isFinite(one) ? Math.min(LARGEST_HALF, Math.max(-LARGEST_HALF, one)) : one)),
      dtype,
    );
  };
  return { ...derived(name, dtype, tensor.dims, compute), from: { tensor, name: tensor.name } };
}
