import type { Source } from '../bytes/source.ts';
import { CompressError, type ErrorDetails } from '../errors.ts';
import {
  END_GROUP,
  FIXED32,
  FIXED64,
  GROUP,
  LENGTH,
  MAX_ALL_TEXT,
  MAX_DEPTH,
  MAX_ITEMS,
  MAX_LEAVES,
  MAX_TEXT,
  VARINT,
} from './fields.ts';
import { into, type Pending, type Reading } from './reading.ts';
import { Segment } from './segment.ts';
import { decodeText } from './text.ts';
import { signed, signedBigint, VarintReader } from './varint.ts';
import { CUT_OFF, type Field, HEADER, MAX_AHEAD, MIN_AHEAD, type Visit } from './wireField.ts';

/**
 * Walks protobuf messages without reading payloads that are not asked for. One window of bytes moves over the file;
 * what lies outside it costs a read, so the walk is depth first and in file order.
 */
export class Skimmer {
  readonly source: Source;
  #window: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#window.buffer);
  #windowStart = 0;
  #ahead = MIN_AHEAD;
  #depth = 0;
  /** Counts of what was read so far; see the limits of these names. */
  #items = 0;
  #text = 0;
  #leaves = 0;
  readonly #varint = new VarintReader();

  constructor(source: Source) {
    this.source = source;
  }

  /**
   * Calls `visit` for every field of the message in `[start, end)`, in order.
   * @throws CompressError `malformed` when a field does not fit its message, `limit` when messages nest too deep.
   */
  *walk(start: number, end: number, visit: Visit): Reading<void> {
    const pending = this.scan(start, end, visit);
    if (pending !== undefined) yield* pending;
  }

  /** Like {@link walk}, as far as possible without waiting; returns the rest. */
  scan(start: number, end: number, visit: Visit): Pending {
    if (++this.#depth > MAX_DEPTH) {
      throw this.error(start, `messages are nested more than ${MAX_DEPTH} levels deep`, 'limit');
    }
    for (let position = start; position < end; ) {
      if (!this.#seesHeader(position, end)) return this.#walkOn(position, end, visit);
      const field = this.#field(position, end);
      if (field.wireType === GROUP) return this.#walkOn(position, end, visit);
      const pending = visit(field);
      if (pending !== undefined) return this.#walkOn(field.end, end, visit, pending);
      position = field.end;
    }
    this.#depth--;
    return undefined;
  }

  *#walkOn(from: number, end: number, visit: Visit, first?: Reading<void>): Reading<void> {
    if (first !== undefined) yield* first;
    for (let position = from; position < end; ) {
      if (!this.#seesHeader(position, end)) yield this.#fill(position, Math.min(position + HEADER, end));
      let field = this.#field(position, end);
      if (field.wireType === GROUP) field = { ...field, end: yield* this.#skipGroup(field, end) };
      const pending = visit(field);
      if (pending !== undefined) yield* pending;
      position = field.end;
    }
    this.#depth--;
  }

  /** The payload bytes of a range, as a copy that the caller may keep. */
  *bytes(start: number, end: number): Reading<Uint8Array> {
    if (!this.#holds(start, end)) yield this.#fill(start, end);
    return Uint8Array.prototype.slice.call(this.#window, start - this.#windowStart, end - this.#windowStart);
  }

  /** A string field: a name, a domain, a symbol. */
  *text(field: Field): Reading<string> {
    this.#expectText(field);
    if (!this.#holds(field.start, field.end)) yield this.#fill(field.start, field.end);
    return this.#decode(field);
  }

  /** Like {@link text}, but immediate if the window holds the field. */
  textInto(field: Field, take: (text: string) => void): Pending {
    this.#expectText(field);
    if (!this.#holds(field.start, field.end)) return into(this.text(field), take);
    take(this.#decode(field));
    return undefined;
  }

  #expectText(field: Field): void {
    this.expect(field, LENGTH);
    const length = field.end - field.start;
    if (length > MAX_TEXT) {
      throw this.error(field.tagStart, `a name has ${length} bytes; at most ${MAX_TEXT} are accepted`, 'limit');
    }
  }

  #decode(field: Field): string {
    this.#text += field.end - field.start;
    if (this.#text > MAX_ALL_TEXT) this.#tooMany(field.tagStart, `names of more than ${MAX_ALL_TEXT} bytes`);
    return decodeText(this.#window, field.start - this.#windowStart, field.end - this.#windowStart);
  }

  /** An integer field as a signed number, exact within ±2^53. */
  int(field: Field): number {
    this.expect(field, VARINT);
    return signed(field.low, field.high);
  }

  /** An integer field as a signed 64-bit integer. */
  bigint(field: Field): bigint {
    this.expect(field, VARINT);
    return signedBigint(field.low, field.high);
  }

  /** Counts numbers that are kept in memory. */
  count(numbers: number, position: number): void {
    this.#items += numbers;
    if (this.#items > MAX_ITEMS) this.#tooMany(position, `more than ${MAX_ITEMS} fields and numbers`);
  }

  /** Counts a node, an attribute, a tensor or a value. */
  leaf(position: number): void {
    if (++this.#leaves > MAX_LEAVES) {
      this.#tooMany(position, `more than ${MAX_LEAVES} nodes, attributes, tensors and values`);
    }
  }

  #tooMany(position: number, fact: string): never {
    throw this.error(position, `the model has ${fact}`, 'limit');
  }

  /** The varints of a repeated integer field, packed or not, as signed 64-bit integers. */
  *ints(field: Field, limit: number): Reading<bigint[]> {
    if (field.wireType === VARINT) return [this.bigint(field)];
    this.expect(field, LENGTH);
    const length = field.end - field.start;
    if (length > limit * 10) {
      throw this.error(field.tagStart, `a list has ${length} bytes; at most ${limit} numbers are accepted`, 'limit');
    }
    const bytes = yield* this.bytes(field.start, field.end);
    const varint = new VarintReader();
    const values: bigint[] = [];
    for (let at = 0; at < bytes.length; ) {
      const next = varint.read(bytes, at, bytes.length);
      if (next < 0) this.#badVarint(field.start + at);
      values.push(signedBigint(varint.low, varint.high));
      at = next;
      this.count(1, field.start + at);
    }
    return values;
  }

  /** Refuses a field whose wire type is not the one that ONNX defines for its number. */
  expect(field: Field, wireType: number): void {
    if (field.wireType === wireType) return;
    throw this.error(
      field.tagStart,
      `field ${field.number} has wire type ${field.wireType}; ONNX writes it as ${wireType}`,
    );
  }

  error(
    position: number,
    fact: string,
    code: 'malformed' | 'limit' = 'malformed',
    details?: ErrorDetails,
  ): CompressError {
    return new CompressError(code, this.source.label, `byte ${position}: ${fact}`, details);
  }

  segment(start: number, end: number): Segment {
    return new Segment(this.source, start, end);
  }

  /** The field at `position`, whose header the window holds. */
  #field(position: number, end: number): Field {
    const base = this.#windowStart;
    this.count(1, position);
    const afterTag = this.#readVarint(position, end);
    if (this.#varint.unsigned >= 2 ** 32) this.#badTag(position);
    const number = this.#varint.low >>> 3;
    const wireType = this.#varint.low & 7;
    if (number === 0) this.#badTag(position);
    let low = 0;
    let high = 0;
    let start = afterTag;
    let stop = afterTag;
    switch (wireType) {
      case VARINT:
        stop = this.#readVarint(afterTag, end);
        ({ low, high } = this.#varint);
        break;
      case FIXED32:
        stop = afterTag + 4;
        if (stop <= end) low = this.#view.getUint32(afterTag - base, true);
        break;
      case FIXED64:
        stop = afterTag + 8;
        if (stop <= end) {
          low = this.#view.getUint32(afterTag - base, true);
          high = this.#view.getUint32(afterTag - base + 4, true);
        }
        break;
      case LENGTH:
        start = this.#readVarint(afterTag, end);
        stop = start + this.#varint.unsigned;
        break;
      case GROUP:
        break;
      default:
        throw this.error(position, `wire type ${wireType} is not allowed here`);
    }
    if (stop > end) this.#tooLong(position, number, stop - start, Math.max(0, end - start), end);
    return { number, wireType, tagStart: position, start, end: stop, low, high };
  }

  #tooLong(position: number, number: number, needed: number, left: number, end: number): never {
    const cut = end === this.source.byteLength;
    throw this.error(
      position,
      `field ${number} needs ${needed} bytes; ${left} are left`,
      'malformed',
      cut ? CUT_OFF : {},
    );
  }

  /** The end of a group, after its end marker. Groups are proto2's old nested messages, which ONNX never writes. */
  *#skipGroup(group: Field, end: number): Reading<number> {
    const open = [group.number];
    let position = group.end;
    while (open.length > 0) {
      if (position >= end) throw this.error(group.tagStart, `group ${group.number} has no end`);
      if (!this.#seesHeader(position, end)) yield this.#fill(position, Math.min(position + HEADER, end));
      const next = this.#readVarint(position, end);
      if ((this.#varint.low & 7) === END_GROUP) {
        if (this.#varint.unsigned !== (open.pop() as number) * 8 + END_GROUP) {
          throw this.error(position, 'a group ends that was not opened');
        }
        position = next;
        continue;
      }
      const field = this.#field(position, end);
      if (field.wireType === GROUP && open.push(field.number) > MAX_DEPTH) {
        throw this.error(position, `groups are nested more than ${MAX_DEPTH} levels deep`, 'limit');
      }
      position = field.end;
    }
    return position;
  }

  /** Reads a varint that the window holds; returns the position after it. */
  #readVarint(position: number, end: number): number {
    const base = this.#windowStart;
    const next = this.#varint.read(this.#window, position - base, Math.min(end - base, this.#window.length));
    return next < 0 ? this.#badVarint(position) : base + next;
  }

  #badVarint(position: number): never {
    throw this.error(position, 'a number has no end within its message, or more than 64 bits');
  }

  #badTag(position: number): never {
    throw this.error(position, `field number ${Math.floor(this.#varint.unsigned / 8)} is not valid`);
  }

  #holds(start: number, end: number): boolean {
    return start >= this.#windowStart && end <= this.#windowStart + this.#window.length;
  }

  /** Whether the window holds the header of the field at `position`. */
  #seesHeader(position: number, end: number): boolean {
    return this.#holds(position, Math.min(position + HEADER, end));
  }

  async #fill(start: number, end: number): Promise<void> {
    const onward = start >= this.#windowStart && start <= this.#windowStart + this.#window.length;
    this.#ahead = onward ? Math.min(this.#ahead * 2, MAX_AHEAD) : MIN_AHEAD;
    const stop = Math.min(start + this.#ahead, this.source.byteLength);
    this.#window = await this.source.read(start, Math.max(stop, end));
    this.#view = new DataView(this.#window.buffer, this.#window.byteOffset, this.#window.byteLength);
    this.#windowStart = start;
  }
}
