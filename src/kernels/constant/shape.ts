/** Distances in elements between neighbours along each axis of a row-major tensor. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length);
  let step = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= dims[axis] as number;
  }
  return strides;
}

/** The broadcast dims of tensors; undefined if they cannot be broadcast. */
export function broadcastDims(...shapes: readonly (readonly number[])[]): number[] | undefined {
  const rank = Math.max(0, ...shapes.map((one) => one.length));
  const dims = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (const [index, dim] of shape.entries()) {
      const at = rank - shape.length + index;
      if (dim === 1 || dim === dims[at]) continue;
      if (dims[at] !== 1) return undefined;
      dims[at] = dim;
    }
  }
  return dims;
}

/** Whether dims have no elements but a long axis. A file may state any number there. */
export function isLongAndEmpty(dims: readonly number[]): boolean {
  return dims.includes(0) && dims.some((dim) => dim > LONG);
}

const LONG = 1 << 16;

/**
 * The positions of a result's elements in a tensor: `base + Σ steps[axis][index along that axis]`. A transpose permutes
 * the strides, a slice skips steps, a look-up uses its indices, and a broadcast axis has zeros.
 */
export interface Walk {
  readonly base: number;
  readonly steps: readonly Int32Array[];
}

/** A walk over a whole tensor of `dims`, broadcast to `to`. */
export function broadcastWalk(dims: readonly number[], to: readonly number[]): Walk {
  const strides = stridesOf(dims);
  const steps = to.map((length, axis) => {
    const own = axis - (to.length - dims.length);
    const stride = own < 0 || dims[own] === 1 ? 0 : (strides[own] as number);
    return arithmetic(length, 0, stride);
  });
  return { base: 0, steps };
}

/** `first, first + step, …` */
export function arithmetic(length: number, first: number, step: number): Int32Array {
  const out = new Int32Array(length);
  for (let index = 0; index < length; index++) out[index] = first + index * step;
  return out;
}

/** Positions of all elements of a walk, in the order of the result. */
export function positions({ base, steps }: Walk): Int32Array {
  let found = Int32Array.of(base);
  for (const step of steps) {
    const next = new Int32Array(found.length * step.length);
    let at = 0;
    for (const start of found) for (const one of step) next[at++] = start + one;
    found = next;
  }
  return found;
}
