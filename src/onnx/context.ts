import { joinBytes } from '../bytes/bytes.ts';
import type { DataFolder, Source } from '../bytes/source.ts';
import type { Blob } from '../bytes/stored.ts';
import { Origin, setOrigin } from './origin.ts';
import { Segment } from './segment.ts';
import type { Skimmer } from './wire.ts';
import type { Field } from './wireField.ts';

/** What every reading function needs. */
export interface ReadContext {
  readonly skim: Skimmer;
  readonly folder: DataFolder | undefined;
  readonly dataFiles: Map<string, Source>;
}

/** Remembers where a leaf stands in the file. */
export function remember<T extends object>(context: ReadContext, leaf: T, field: Field): T {
  context.skim.leaf(field.tagStart);
  setOrigin(leaf, new Origin(context.skim.source, field));
  return leaf;
}

/** The field with its tag. */
export function wholeOf(context: ReadContext, field: Field): Segment {
  return new Segment(context.skim.source, field.tagStart, field.end);
}

/** Several ranges of the file, one after the other: the fields of a message that we do not model. */
export class Ranges implements Blob {
  readonly segments: Segment[] = [];

  get byteLength(): number {
    return this.segments.reduce((sum, one) => sum + one.byteLength, 0);
  }

  add(segment: Segment): void {
    Segment.append(this.segments, segment);
  }

  async load(): Promise<Uint8Array> {
    return joinBytes(await Promise.all(this.segments.map((one) => one.load())));
  }

  /** This, or undefined if nothing was added: what an optional `extra` wants. */
  orNone(): { extra: Ranges } | Record<string, never> {
    return this.segments.length === 0 ? {} : { extra: this };
  }
}
