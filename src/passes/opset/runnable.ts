import type { DType } from '../../ir/dtype.ts';
import { lookup } from '../../ir/lookup.ts';
import { LOST_KERNELS, RUNTIME_VERSION } from '../../targets/lostKernels.ts';

/** Nodes that ONNX Runtime does not run at the target opset. */
interface Missing {
  /** `RoiAlign`, or with a type if only that type has no kernel: `Elu of float64`. */
  readonly name: string;
  readonly opType: string;
  readonly dtype: DType | undefined;
  count: number;
}

/** Whether {@link runsAt} needs an element type for this operator. */
export function mayLoseKernel(opType: string): boolean {
  return lookup(LOST_KERNELS, opType) !== undefined;
}

/** Whether ONNX Runtime has a CPU kernel for an operator at an opset, or a function body made of such. */
function runsAt(opType: string, dtype: DType | undefined, opset: number): boolean {
  const byType = lookup(LOST_KERNELS, opType);
  const runs = byType?.any ?? (dtype === undefined ? undefined : byType?.[dtype]);
  return runs?.some(([first, last]) => first <= opset && opset <= last) ?? true;
}

/** Collects what ONNX Runtime has no kernel for once a model is raised from one opset to another. */
export class Unrunnable {
  readonly #from: number;
  readonly #target: number;
  readonly #missing = new Map<string, Missing>();

  constructor(from: number, target: number) {
    this.#from = from;
    this.#target = target;
  }

  /** @param dtype - of the node's first input, where it is known */
  add(opType: string, dtype: DType | undefined): void {
    if (runsAt(opType, dtype, this.#target)) return;
    const typed = lookup(LOST_KERNELS, opType)?.any === undefined && dtype !== undefined;
    const name = typed ? `${opType} of ${dtype}` : opType;
    const known = this.#missing.get(name) ?? { name, opType, dtype, count: 0 };
    known.count++;
    this.#missing.set(name, known);
  }

  /** What is missing, as a sentence; undefined if nothing is. */
  get sentence(): string | undefined {
    if (this.#missing.size === 0) return undefined;
    const list = [...this.#missing.values()].map(({ name, count }) => `${count} ${name}`).join(', ');
    return `ONNX Runtime ${RUNTIME_VERSION} has no kernel at opset ${this.#target} for ${list}`;
  }

  /** The highest opset on the way where nothing is lost that ONNX Runtime runs now. */
  get runsUpTo(): number {
    const lost = [...this.#missing.values()].filter(({ opType, dtype }) => runsAt(opType, dtype, this.#from));
    let opset = this.#target;
    while (opset > this.#from && !lost.every(({ opType, dtype }) => runsAt(opType, dtype, opset))) opset--;
    return opset;
  }
}
