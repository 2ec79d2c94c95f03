/**
 * Computations over tensors stored elsewhere, as generators: each yields the bytes it needs, a chunk at a time, and the
 * bytes it made. The runner decides where bytes come from: memory, a file read by its own thread, or a file read
 * asynchronously. So the loops over chunks are written once.
 */

/** `read`: fill `bytes` from byte `at` of the tensor. `write`: store `bytes` at byte `at` of the result. */
export interface Step {
  readonly kind: 'read' | 'write';
  /** A view into the arena, valid until the next step. */
  readonly bytes: Uint8Array;
  readonly at: number;
}

export type Steps<T> = Generator<Step, T, void>;

/** Moves bytes between an arena and their storage. */
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
