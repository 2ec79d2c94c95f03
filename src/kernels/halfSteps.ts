import { type Rounding, Roundings } from './halves.ts';
import { Reader, type StreamedFormat } from './linearSteps.ts';
import type { Arena } from './simd/arena.ts';
import type { Steps } from './steps.ts';
import type { HalfFormat } from './views.ts';

/** Elements in the arena at a time. */
const CHUNK: number = 1 << 18;

/** Floats to convert to 16 bits. */
export interface HalfJob {
  readonly elements: number;
  readonly from: StreamedFormat;
  readonly to: HalfFormat;
}

/** As `halvesOf` in halves.ts: writes two bytes for each element. */
export function* halfSteps(arena: Arena, job: HalfJob): Steps<undefined> {
  const rounder = new Rounder(arena, job);
  for (let start = 0; start < job.elements; start += CHUNK) {
    const count = yield* rounder.round(start);
    yield { kind: 'write', bytes: arena.bytes(rounder.out, 2 * count), at: 2 * start };
  }
  return undefined;
}

/** As `measureHalves` in halves.ts. */
export function* roundingSteps(arena: Arena, job: HalfJob): Steps<Rounding> {
  const roundings = new Roundings();
  const rounder = new Rounder(arena, job);
  const back = arena.allocate(4 * CHUNK);
  const { halfToFloat, bfloatToFloat } = arena.kernels;
  for (let start = 0; start < job.elements; start += CHUNK) {
    const count = yield* rounder.round(start);
    (job.to === 'float16' ? halfToFloat : bfloatToFloat)(rounder.out, count, back);
    roundings.compare(arena.floats(rounder.input, count), arena.floats(back, count));
  }
  const { largest, leastBeyond, signal, noise } = roundings;
  return { largest, leastBeyond, signal, noise };
}

/** Reads a chunk of floats and rounds it. */
class Rounder {
  readonly #arena: Arena;
  readonly #job: HalfJob;
  readonly #reader: Reader;
  /** Where the rounded elements are. */
  readonly out: number;

  constructor(arena: Arena, job: HalfJob) {
    this.#arena = arena;
    this.#job = job;
    this.#reader = new Reader(arena, job.from, CHUNK);
    this.out = arena.allocate(2 * CHUNK);
  }

  /** Where the elements are as float32. */
  get input(): number {
    return this.#reader.input;
  }

  /** @returns how many elements were rounded, from element `start` on */
  *round(start: number): Steps<number> {
    const count = Math.min(CHUNK, this.#job.elements - start);
    yield* this.#reader.read(start, count);
    const { floatToHalf, floatToBfloat } = this.#arena.kernels;
    (this.#job.to === 'float16' ? floatToHalf : floatToBfloat)(this.input, count, this.out);
    return count;
  }
}
