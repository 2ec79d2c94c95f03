import { joinBytes } from '../bytes/bytes.ts';
import type { DataFolder, Source } from '../bytes/source.ts';
import type { Blob } from '../bytes/stored.ts';
import { Origin, setOrigin } from './origin.ts';
import { Segment } from './segment.ts';
import type { Skimmer } from './wire.ts';
import type { Field } from './wireField.ts';

/** The state that all reading functions share. */
export interface ReadContext {
  readonly skim: Skimmer;
  readonly folder: DataFolder | undefined;
  readonly dataFiles: Map<string, Source>;
}

/** Records where a leaf is in the file. */
export function remember<T extends object>(context: ReadContext, leaf: T, field: Field): T {
  context.skim.leaf(field.tagStart);
  setOrigin(leaf, new Origin(context.skim.source, field));
  return leaf;
}

/** The field including its tag. */
export function wholeOf(context: ReadContext, field: Field): Segment {
  return new Segment(context.skim.source, field.tagStart, field.end);
}

/** Several ranges of the file in sequence: the fields of a message that this package does not know. */
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

  /** An object with these ranges as `extra`; an empty object if there are none. */
  orNone(): { extra: Ranges } | Record<string, never> {
    return this.segments.length === 0 ? {} : { extra: this };
  }
}
