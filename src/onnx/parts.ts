import { joinBytes } from '../bytes/bytes.ts';
import type { Sink } from '../bytes/sink.ts';
import type { Source } from '../bytes/source.ts';
import type { Blob, Streamed, WriteTarget } from '../bytes/stored.ts';
import { CompressError, ioError } from '../errors.ts';
import type { Tensor } from '../ir/tensor.ts';
import { Ranges } from './context.ts';
import { LENGTH } from './fields.ts';
import { tag, varints, writer } from './protobuf.ts';
import { Segment } from './segment.ts';
import { encodeText } from './text.ts';

/**
 * A part of a file to write: encoded bytes, a range to copy, or a blob (a tensor) that is computed while it is written.
 */
export type Part = Uint8Array | Segment | Blob;

/** Parts of a message in order; their total length is always known. */
export class Parts {
  readonly list: Part[] = [];
  #byteLength = 0;
  /** Number of short byte arrays at the end of the list. */
  #run = 0;
  #slab: Uint8Array = new Uint8Array(0);

  get byteLength(): number {
    return this.#byteLength;
  }

  bytes(bytes: Uint8Array): this {
    this.list.push(bytes);
    this.#byteLength += bytes.byteLength;
    this.#run = bytes.byteLength < SHORT ? this.#run + 1 : 0;
    if (this.#run === RUN) this.#pack();
    return this;
  }

  /**
   * Merges the short byte arrays at the end of a long list into one. A model with many nodes has hundreds of thousands
   * of them, and each keeps alive the 8 KiB buffer it was encoded in.
   */
  #pack(): void {
    const run = this.#run;
    this.#run = 0;
    if (run === 0 || this.list.length < RUN) return;
    const pieces = this.list.splice(-run) as Uint8Array[];
    const total = pieces.reduce((sum, one) => sum + one.byteLength, 0);
    if (this.#slab.byteLength < total) this.#slab = new Uint8Array(SLAB);
    let at = 0;
    for (const one of pieces) {
      this.#slab.set(one, at);
      at += one.byteLength;
    }
    this.list.push(this.#slab.subarray(0, total));
    this.#slab = this.#slab.subarray(total);
  }

  segment(segment: Segment): this {
    this.#pack();
    Segment.append(this.list, segment);
    this.#byteLength += segment.byteLength;
    return this;
  }

  /** Adds bytes that are loaded or computed while they are written: a tensor. */
  tensor(tensor: Blob): this {
    this.#pack();
    this.list.push(tensor);
    this.#byteLength += tensor.byteLength;
    return this;
  }

  /** Adds fields as they are in the file. */
  blob(blob: Blob | undefined): this {
    if (blob instanceof Ranges) for (const segment of blob.segments) this.segment(segment);
    else if (blob instanceof Segment) this.segment(blob);
    else if (blob !== undefined) this.tensor(blob);
    return this;
  }

  /** Adds a nested message as field `number`: tag, length, payload. */
  message(number: number, payload: Parts): this {
    this.bytes(writer().uint32(tag(number, LENGTH)).uint32(payload.byteLength).finish());
    const flat = payload.flat();
    if (flat !== undefined) return this.bytes(flat);
    for (const part of payload.list) {
      if (part instanceof Segment) this.segment(part);
      else if (part instanceof Uint8Array) this.bytes(part);
      else this.tensor(part);
    }
    return this;
  }

  /**
   * The parts as one byte array, if all are encoded and short. This keeps the number of parts small: a model with many
   * nodes would have hundreds of thousands.
   */
  flat(): Uint8Array | undefined {
    const { list } = this;
    if (this.#byteLength > SMALL || !list.every((part) => part instanceof Uint8Array)) return undefined;
    return list.length === 1 ? (list[0] as Uint8Array) : joinBytes(list as Uint8Array[]);
  }

  text(number: number, value: string): this {
    return this.bytes(writer().uint32(tag(number, LENGTH)).bytes(encodeText(value)).finish());
  }

  int(number: number, value: bigint | number): this {
    return this.bytes(varints(writer().uint32(tag(number, 0)), [BigInt(value)]).finish());
  }

  /** Adds a packed list of integers; nothing if it is empty. */
  ints(number: number, values: readonly (bigint | number)[]): this {
    if (values.length === 0) return this;
    const list = writer().uint32(tag(number, LENGTH)).fork();
    return this.bytes(varints(list, values.map(BigInt)).ldelim().finish());
  }
}

/** Byte arrays shorter than this are packed together, into blocks of this size. */
const SHORT = 1 << 10;
const RUN = 64;
const SLAB: number = RUN * SHORT;

/** Segments shorter than this are read together with the next ones in the file. */
const SMALL = 1 << 16;

/** Where parts are written: a sink, or an observer that sees the bytes. */
export type Output = Pick<Sink, 'write' | 'clone' | 'refer'> &
  Partial<Pick<Sink, 'label'>> & { reserve?(byteLength: number): Promise<WriteTarget> };

/** Called with the number of bytes written. */
export type Wrote = (byteLength: number) => void;

/** Writes the parts in order. A part whose length differs from what it announced is an `internal` error. */
export async function writeParts(parts: readonly Part[], sink: Output, wrote: Wrote = () => {}): Promise<void> {
  if (await cloned(parts, sink)) return;
  const ahead = new ReadAhead();
  const elsewhere = new Elsewhere();
  try {
    for (const part of parts.flatMap((one): readonly Part[] => (one instanceof Segment ? one.pieces() : [one]))) {
      const short = part instanceof Segment && part.byteLength <= SMALL ? await ahead.read(part) : part;
      if (short instanceof Uint8Array) {
        await sink.write(short);
        wrote(short.byteLength);
      } else {
        await writeLong(short, sink, elsewhere, wrote);
      }
      elsewhere.check();
    }
  } finally {
    await elsewhere.end();
  }
  elsewhere.check();
}

/** Copies the file with the system's own copy if the parts are one whole file. Returns whether it did. */
async function cloned(parts: readonly Part[], sink: Output): Promise<boolean> {
  const [part] = parts;
  if (parts.length !== 1 || !(part instanceof Segment) || part.byteLength < LONG) return false;
  const { source, start, byteLength } = part;
  return start === 0 && byteLength === source.byteLength && (await sink.clone?.(source)) === true;
}

/** Writes a long copy or a tensor: with other threads if that is faster, in chunks if possible. */
async function writeLong(part: Segment | Blob, sink: Output, elsewhere: Elsewhere, wrote: Wrote): Promise<void> {
  const streamed = await streamOf(part);
  if (streamed?.fromFile() && sink.reserve !== undefined) {
    if ((await sink.refer?.(part.byteLength, async () => streamed.place?.())) === true) return wrote(part.byteLength);
    const failed = (cause: unknown): never => {
      throw ioError(sink.label ?? '', cause);
    };
    const target = await sink.reserve(part.byteLength);
    const written = streamed.writeTo(target).then(() => wrote(part.byteLength), failed);
    // Without a position, the next part must wait for this one.
    if (target.position === undefined) await written;
    else elsewhere.add(written);
    return;
  }
  let written = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    written += bytes.byteLength;
    await sink.write(bytes);
    wrote(bytes.byteLength);
  };
  if (part instanceof Segment) await copy(part, write);
  else if (streamed !== undefined) for await (const chunk of streamed.chunks()) await write(chunk);
  else await write(await part.load());
  if (written === part.byteLength) return;
  const name = 'name' in part ? String(part.name) : '';
  throw new CompressError('internal', name, `${written} bytes were computed; ${part.byteLength} were planned`);
}

async function streamOf(part: Segment | Blob): Promise<Streamed | undefined> {
  if (!(part instanceof Segment)) return (part as Partial<Tensor>).streamed;
  return part.byteLength < LONG ? undefined : (await import('../compute/copy.ts')).copied(part);
}

/** Copies of at least this many bytes may run on other threads. */
const LONG = 4 << 20;

/** Writes that run on other threads in the meantime. */
class Elsewhere {
  readonly #work: Promise<void>[] = [];
  #failure: { readonly cause: unknown } | undefined;

  add(work: Promise<void>): void {
    this.#work.push(
      work.catch((cause: unknown) => {
        this.#failure ??= { cause };
      }),
    );
  }

  /**
   * @throws the first error so far
   */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
  }

  /** Waits until no thread writes to the output any more. */
  async end(): Promise<void> {
    await Promise.all(this.#work);
  }
}

/** Bytes of a copy in one buffer; there are two. */
const CHUNK = 4 << 20;

/** Copies a long segment, reading the next piece while the last one is written. */
async function copy(segment: Segment, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  // Reads of bytes in memory are views; a file is read into two buffers in turn.
  const buffers = segment.file === undefined ? [] : [0, 1].map(() => new Uint8Array(CHUNK));
  const read = async (at: number): Promise<Uint8Array> => {
    const length = Math.min(CHUNK, segment.byteLength - at);
    const buffer = buffers[(at / CHUNK) % 2]?.subarray(0, length);
    if (buffer === undefined) return segment.source.read(segment.start + at, segment.start + at + length);
    await segment.readInto(buffer, at);
    return buffer;
  };
  let next = read(0);
  for (let at = 0; at < segment.byteLength; at += CHUNK) {
    const chunk = await next;
    if (at + CHUNK < segment.byteLength) {
      next = read(at + CHUNK);
      // Mark as handled: if the write fails first, nothing awaits this read.
      next.catch(() => {});
    }
    await write(chunk);
  }
}

/** Turns many small copies from one region of a file into one read. */
class ReadAhead {
  #source: Source | undefined;
  #start = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  async read(segment: Segment): Promise<Uint8Array> {
    const held = segment.source === this.#source && segment.start >= this.#start;
    if (!held || segment.end > this.#start + this.#bytes.byteLength) {
      this.#source = segment.source;
      this.#start = segment.start;
      this.#bytes = await segment.source.read(
        segment.start,
        Math.min(segment.start + SMALL, segment.source.byteLength),
      );
    }
    return this.#bytes.subarray(segment.start - this.#start, segment.end - this.#start);
  }
}
