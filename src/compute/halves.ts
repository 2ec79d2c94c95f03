import type { Stored, Streamed } from '../bytes/stored.ts';
import { type Rounding, Roundings } from '../kernels/halves.ts';
import { bytesOf, type StreamedFormat } from '../kernels/linearSteps.ts';
import { spans } from '../kernels/slices.ts';
import type { HalfFormat } from '../kernels/views.ts';
import { type Part, partsFor } from './executor.ts';
import { runParts } from './here.ts';
import { streamOf } from './stream.ts';

/** Stored floats, and their target type. */
export interface StoredFloats {
  readonly stored: Stored;
  readonly from: StreamedFormat;
  readonly to: HalfFormat;
}

/** The floats as 16-bit floats. */
export function halfStream(floats: StoredFloats): Streamed {
  return streamOf<'halves'>(floats.stored, 2 * elementsOf(floats), (count) => cut('halves', floats, count));
}

/** The rounding errors of the floats in 16 bits. Reads all of them. */
export async function roundingOfStored(floats: StoredFloats): Promise<Rounding> {
  const { stored } = floats;
  const all = new Roundings();
  for (const part of await runParts<'rounding'>(stored, cut('rounding', floats, partsFor(stored)))) all.add(part);
  return all;
}

function cut<Kind extends 'halves' | 'rounding'>(kind: Kind, floats: StoredFloats, count: number): Part<Kind>[] {
  const { from, to } = floats;
  return spans(elementsOf(floats), count).map(({ start, length }) => ({
    job: { kind, floats: { elements: length, from, to } } as Part<Kind>['job'],
    start: start * bytesOf(from),
    at: 2 * start,
  }));
}

function elementsOf({ stored, from }: StoredFloats): number {
  return stored.byteLength / bytesOf(from);
}
