import type { Piece, Place } from '../../bytes/stored.ts';
import type { Job } from '../../compute/jobs.ts';
import { Failure } from './transfer.ts';

/**
 * Jobs for one thread. Their results go to one file, in the order of their numbers, between the results of other
 * threads.
 */
export interface OrderedTask {
  readonly parts: readonly OrderedPart[];
  readonly to: OrderedPlace;
}

/** One job and its number in the order of writing. */
export interface OrderedPart {
  readonly job: Job;
  readonly from: Place;
  /** Its number in the order of writing, from 0. */
  readonly index: number;
  /** Length of its result, in bytes. */
  readonly byteLength: number;
  /** Parts of the result that the caller wants to see. */
  readonly wanted: readonly Piece[];
}

/** The outcome of one part. */
export interface OrderedOutcome {
  /** The result of the job, apart from what it writes. */
  readonly result: unknown;
  /** The requested pieces of what it writes. */
  readonly shown: readonly Uint8Array[];
}

/** The file that threads write in turn. */
export interface OrderedPlace {
  readonly fd: number;
  /** Index of the next part to write, an Int32; negative once a write has failed. */
  readonly turn: SharedArrayBuffer;
}

/** The code of a write that was skipped because an earlier one failed. */
export const ABANDONED = 'ECANCELED';

/** `Atomics.waitAsync` (ES2024), which TypeScript's library for this target does not declare. */
interface WaitAsync {
  waitAsync(state: Int32Array, index: number, value: number): { readonly value: Promise<unknown> | string };
}

/** Lets threads write their parts in order. The index of the next part is shared by all threads. */
export class Turn {
  readonly #state: Int32Array;

  constructor(turn: SharedArrayBuffer) {
    this.#state = new Int32Array(turn);
  }

  /** Blocks until it is the turn of a part. @throws Failure if an earlier write has failed */
  wait(index: number): void {
    for (let now = this.#now(index); now !== undefined; now = this.#now(index)) Atomics.wait(this.#state, 0, now);
  }

  /** Waits without blocking. @throws Failure as {@link wait} */
  async waitAsync(index: number): Promise<void> {
    for (let now = this.#now(index); now !== undefined; now = this.#now(index)) {
      await (Atomics as unknown as WaitAsync).waitAsync(this.#state, 0, now).value;
    }
  }

  /** Passes the turn from part `index` to the next one. */
  pass(index: number): void {
    // Never overwrite the mark of a failed write.
    if (Atomics.compareExchange(this.#state, 0, index, index + 1) !== index) throw abandoned();
    Atomics.notify(this.#state, 0);
  }

  /** Marks that a write has failed, so that no thread writes any more. */
  abandon(): void {
    Atomics.store(this.#state, 0, -1);
    Atomics.notify(this.#state, 0);
  }

  /** Index of the next part; undefined if it is `index`. */
  #now(index: number): number | undefined {
    const now = Atomics.load(this.#state, 0);
    if (now < 0) throw abandoned();
    return now === index ? undefined : now;
  }
}

function abandoned(): Failure {
  return new Failure('write', Object.assign(new Error('another part failed'), { code: ABANDONED }));
}

/** Results up to this size are written in one piece, once they are complete. */
export const MOST_HELD: number = 2 << 20;

/**
 * The result of one part while it is computed. A short result is held until it is complete, and requested pieces are
 * kept.
 */
export class OrderedResult {
  readonly #part: OrderedPart;
  readonly #held: Uint8Array;
  /** The requested pieces, as far as they were seen. */
  readonly shown: readonly Uint8Array[];

  /** @param held - at least {@link MOST_HELD} bytes, for exclusive use until the part has ended */
  constructor(part: OrderedPart, held: Uint8Array) {
    this.#part = part;
    this.#held = held;
    this.shown = part.wanted.map(({ byteLength }) => new Uint8Array(byteLength));
  }

  /** Takes the next bytes of the result, from `at` on; returns the bytes to write now. */
  take(bytes: Uint8Array, at: number): Uint8Array | undefined {
    const { byteLength } = this.#part;
    this.#look(bytes, at);
    if (bytes.length === byteLength || byteLength > MOST_HELD) return bytes;
    this.#held.set(bytes, at);
    return at + bytes.length === byteLength ? this.#held.subarray(0, byteLength) : undefined;
  }

  #look(bytes: Uint8Array, at: number): void {
    for (const [index, { start, byteLength }] of this.#part.wanted.entries()) {
      const [first, end] = [Math.max(start, at), Math.min(start + byteLength, at + bytes.length)];
      if (first < end) this.shown[index]?.set(bytes.subarray(first - at, end - at), first - start);
    }
  }
}
