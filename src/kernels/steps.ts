/**
 * Computations over tensors that lie somewhere else, as generators: each asks for the bytes it needs, a chunk at a
 * time, and gives the bytes it made. The runner decides where bytes come from: memory, a file read by a thread of its
 * own, a file read asynchronously. So the loops over chunks are written once.
 */

/** `read`: fill `bytes` from byte `at` of the tensor on. `write`: `bytes` are those of the result from byte `at` on. */
export interface Step {
  readonly kind: 'read' | 'write';
  /** A view into the arena, good until the next step. */
  readonly bytes: Uint8Array;
  readonly at: number;
}

export type Steps<T> = Generator<Step, T, void>;

/** Moves bytes between an arena and where they lie. */
export type Transfer = (bytes: Uint8Array, at: number) => void;

/** Runs a computation to its end. */
export function perform<T>(steps: Steps<T>, read: Transfer, write: Transfer): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    const { kind, bytes, at } = step.value;
    if (kind === 'read') read(bytes, at);
    else write(bytes, at);
  }
}
