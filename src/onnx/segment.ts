import { readInto, type Source } from '../bytes/source.ts';
import type { Blob, Place, Stored } from '../bytes/stored.ts';

/** A range of a source. Its bytes are not copied. */
export class Segment implements Blob, Stored {
  readonly source: Source;
  readonly start: number;
  readonly end: number;

  constructor(source: Source, start: number, end: number) {
    this.source = source;
    this.start = start;
    this.end = end;
  }

  get byteLength(): number {
    return this.end - this.start;
  }

  get label(): string {
    return this.source.label;
  }

  get file(): Place | undefined {
    return this.source.files?.place(this.start, this.end);
  }

  load(): Promise<Uint8Array> {
    return this.source.read(this.start, this.end);
  }

  readInto(target: Uint8Array, start: number): Promise<void> {
    return readInto(this.source, target, this.start + start);
  }

  /** The range split into segments that are each contiguous in one file. */
  pieces(): readonly Segment[] {
    const { source, start, end } = this;
    const borders = source.files?.borders(start, end) ?? [];
    if (borders.length === 0) return [this];
    return [...new Set([...borders, end])].map((to, index, all) => new Segment(source, all[index - 1] ?? start, to));
  }

  /** Adds a segment to a list, merged with the last one where it follows it directly. */
  static append<T>(list: (T | Segment)[], next: Segment): void {
    const last = list.at(-1);
    if (last instanceof Segment && last.source === next.source && last.end === next.start) {
      list[list.length - 1] = new Segment(last.source, last.start, next.end);
    } else {
      list.push(next);
    }
  }
}
