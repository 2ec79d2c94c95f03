import { CompressError } from '../errors.ts';
import type { Source } from '../io/source.ts';
import type { Blob } from '../ir/tensor.ts';
import { END_GROUP, FIXED32, FIXED64, GROUP, LENGTH, MAX_DEPTH, MAX_TEXT, VARINT } from './fields.ts';
import { decodeText } from './text.ts';

/** A range of a source: bytes that stay where they are. */
export class Segment implements Blob {
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

  load(): Promise<Uint8Array> {
    return this.source.read(this.start, this.end);
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

/** One field of a message, its payload not yet read. */
export interface Field {
  readonly number: number;
  readonly wireType: number;
  /** Where its tag begins. */
  readonly tagStart: number;
  /** Where its payload begins and ends (for a varint: the varint itself). */
  readonly start: number;
  readonly end: number;
  /** The value of a varint or fixed32/64, as an unsigned 64-bit number; 0 for the others. */
  readonly value: bigint;
}

/** After a jump, read this much; double it at each further read on, up to MAX_AHEAD. */
const MIN_AHEAD = 512;
const MAX_AHEAD = 1 << 16;
/** The longest tag plus length: two varints of ten bytes. */
const HEADER = 20;

/**
 * Walks protobuf messages without reading payloads nobody asks for. One window of bytes moves over the file; what lies
 * outside it costs a read, so the walk is depth first and in file order.
 */
export class Skimmer {
  readonly source: Source;
  #window: Uint8Array = new Uint8Array(0);
  #windowStart = 0;
  #ahead = MIN_AHEAD;
  #depth = 0;

  constructor(source: Source) {
    this.source = source;
  }

  /**
   * Calls `visit` for every field of the message in `[start, end)`, in order.
   * @throws CompressError `malformed` when a field does not fit its message, `limit` when messages nest too deep.
   */
  async walk(start: number, end: number, visit: (field: Field) => Promise<void> | void): Promise<void> {
    if (++this.#depth > MAX_DEPTH) {
      throw new CompressError('limit', this.source.label, `messages nest deeper than ${MAX_DEPTH} at byte ${start}`);
    }
    let position = start;
    while (position < end) {
      await this.#see(position, end);
      let field = this.#field(position, end);
      if (field.wireType === GROUP) field = { ...field, end: await this.#skipGroup(field, end) };
      const done = visit(field);
      if (done !== undefined) await done;
      position = field.end;
    }
    this.#depth--;
  }

  /** The payload bytes of a range; a copy the caller may keep. */
  async bytes(start: number, end: number): Promise<Uint8Array> {
    if (end - start > MAX_AHEAD) return this.source.read(start, end);
    if (!this.#holds(start, end)) await this.#fill(start, end);
    return Uint8Array.prototype.slice.call(this.#window, start - this.#windowStart, end - this.#windowStart);
  }

  /** A string field: a name, a domain, a symbol. */
  async text(field: Field): Promise<string> {
    this.expect(field, LENGTH);
    if (field.end - field.start > MAX_TEXT) {
      throw this.error(
        field.tagStart,
        `a name of ${field.end - field.start} bytes; at most ${MAX_TEXT} are taken`,
        'limit',
      );
    }
    if (!this.#holds(field.start, field.end)) await this.#fill(field.start, field.end);
    return decodeText(this.#window.subarray(field.start - this.#windowStart, field.end - this.#windowStart));
  }

  /** The varints of a repeated integer field, packed or not, as signed 64-bit integers. */
  async ints(field: Field, limit: number): Promise<bigint[]> {
    if (field.wireType === VARINT) return [BigInt.asIntN(64, field.value)];
    this.expect(field, LENGTH);
    if (field.end - field.start > limit * 10) {
      throw this.error(
        field.tagStart,
        `a list of ${field.end - field.start} bytes; at most ${limit} numbers are taken`,
        'limit',
      );
    }
    const bytes = await this.bytes(field.start, field.end);
    const values: bigint[] = [];
    for (let at = 0; at < bytes.length; ) {
      const [value, next] = readVarint(bytes, at, bytes.length) ?? this.#badVarint(field.start + at);
      values.push(BigInt.asIntN(64, value));
      at = next;
    }
    return values;
  }

  /** Refuses a field that comes with another wire type than its number has in ONNX. */
  expect(field: Field, wireType: number): void {
    if (field.wireType === wireType) return;
    throw this.error(
      field.tagStart,
      `field ${field.number} has wire type ${field.wireType}; ONNX writes it as ${wireType}`,
    );
  }

  error(position: number, fact: string, code: 'malformed' | 'limit' = 'malformed', hint?: string): CompressError {
    return new CompressError(code, this.source.label, `byte ${position}: ${fact}`, hint === undefined ? {} : { hint });
  }

  segment(start: number, end: number): Segment {
    return new Segment(this.source, start, end);
  }

  #field(position: number, end: number): Field {
    const window = this.#window;
    const base = this.#windowStart;
    const limit = Math.min(end - base, window.length);
    const [tag, afterTag] = readVarint(window, position - base, limit) ?? this.#badVarint(position);
    const number = Number(tag >> 3n);
    const wireType = Number(tag & 7n);
    if (number === 0 || number >= 2 ** 29) throw this.error(position, `field number ${number} is not possible`);
    const field = (start: number, stop: number, value: bigint): Field => {
      if (stop > end) {
        const fact = `field ${number} needs ${stop - start} bytes; ${Math.max(0, end - start)} are left`;
        const hint =
          end === this.source.byteLength ? 'The file ends too early: was it cut off on its way here?' : undefined;
        throw this.error(position, fact, 'malformed', hint);
      }
      return { number, wireType, tagStart: position, start, end: stop, value };
    };
    const at = base + afterTag;
    switch (wireType) {
      case VARINT: {
        const [value, next] = readVarint(window, afterTag, limit) ?? this.#badVarint(at);
        return field(at, base + next, value);
      }
      case FIXED32:
        return field(at, at + 4, at + 4 <= end ? BigInt(view(window).getUint32(afterTag, true)) : 0n);
      case FIXED64:
        return field(at, at + 8, at + 8 <= end ? view(window).getBigUint64(afterTag, true) : 0n);
      case LENGTH: {
        const [length, next] = readVarint(window, afterTag, limit) ?? this.#badVarint(at);
        if (length > BigInt(Number.MAX_SAFE_INTEGER))
          throw this.error(position, `field ${number} claims ${length} bytes`);
        return field(base + next, base + next + Number(length), 0n);
      }
      case GROUP:
        return field(at, at, 0n);
      default:
        throw this.error(position, `wire type ${wireType} is not possible here`);
    }
  }

  /** Where a group ends, its end marker included (proto2's old nested messages, which ONNX never writes). */
  async #skipGroup(group: Field, end: number): Promise<number> {
    const open = [group.number];
    let position = group.end;
    while (open.length > 0) {
      if (position >= end) throw this.error(group.tagStart, `group ${group.number} has no end`);
      await this.#see(position, end);
      const base = this.#windowStart;
      const limit = Math.min(end - base, this.#window.length);
      const [tag, next] = readVarint(this.#window, position - base, limit) ?? this.#badVarint(position);
      if (Number(tag & 7n) === END_GROUP) {
        if (open.pop() !== Number(tag >> 3n)) throw this.error(position, 'a group ends that is not open');
        position = base + next;
        continue;
      }
      const field = this.#field(position, end);
      if (field.wireType === GROUP && open.push(field.number) > MAX_DEPTH) {
        throw this.error(position, `groups nest deeper than ${MAX_DEPTH}`, 'limit');
      }
      position = field.end;
    }
    return position;
  }

  #badVarint(position: number): never {
    throw this.error(position, 'a number has no end within its message, or more than 64 bits');
  }

  #holds(start: number, end: number): boolean {
    return start >= this.#windowStart && end <= this.#windowStart + this.#window.length;
  }

  /** Makes sure the window holds the header of the field at `position`. */
  #see(position: number, end: number): Promise<void> | undefined {
    const stop = Math.min(position + HEADER, end);
    return this.#holds(position, stop) ? undefined : this.#fill(position, stop);
  }

  async #fill(start: number, end: number): Promise<void> {
    const onward = start >= this.#windowStart && start <= this.#windowStart + this.#window.length;
    this.#ahead = onward ? Math.min(this.#ahead * 2, MAX_AHEAD) : MIN_AHEAD;
    const stop = Math.min(Math.max(end, start + this.#ahead), this.source.byteLength);
    this.#window = await this.source.read(start, Math.max(stop, end));
    this.#windowStart = start;
  }
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads a varint at `at`: its value and where it ends; undefined where it does not end before `limit`. */
export function readVarint(bytes: Uint8Array, at: number, limit: number): [bigint, number] | undefined {
  let low = 0;
  for (let index = 0; index < 4; index++) {
    if (at + index >= limit) return undefined;
    const byte = bytes[at + index] as number;
    low |= (byte & 0x7f) << (7 * index);
    if (byte < 0x80) return [BigInt(low), at + index + 1];
  }
  let value = BigInt(low);
  for (let index = 4; index < 10; index++) {
    if (at + index >= limit) return undefined;
    const byte = bytes[at + index] as number;
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) return value < 2n ** 64n ? [value, at + index + 1] : undefined;
  }
  return undefined;
}
