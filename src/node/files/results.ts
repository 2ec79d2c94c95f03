import { createHash } from 'node:crypto';
import { close, constants, fstatSync, ftruncate, open } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Result, Results } from '../../activations/results.ts';
import { CompressError, ioError } from '../../errors.ts';
import { readAll } from './readAll.ts';
import { writeAll } from './writeAll.ts';

/** First bytes of a file of results. */
const MAGIC = 'onnx-compress results 1\n';
/** Bytes of a SHA-256. */
const DIGEST = 32;
/** Bytes read at a time. */
const PIECE: number = 1 << 22;
/** Maximum bytes of the facts of one layer, or of the identity. */
const MAX_FACTS = 65536;
/** Maximum number of arrays of one layer. */
const MAX_PARTS = 16;

/** Identifies what results belong to. Results of another model, or with other options, are not used. */
export type Identity = Readonly<Record<string, string>>;

/** Results in a file, which outlive the process. */
export interface ResultsFile extends Results {
  /** Current number of results. */
  readonly count: number;
  /** Closes the file; nothing can be read or added afterwards. */
  close(): Promise<void>;
}

// Descriptors, not handles: a reader of an old result keeps the file open, and garbage collection does not close it.
const files = { open: promisify(open), close: promisify(close), truncate: promisify(ftruncate) };

/**
 * A file of results. It is created, with its folder, when there is a first result.
 *
 * ```
 * magic ─ record of the identity ─ record of a layer ─ record of a layer ─ …
 * record: bytes of the facts, how many parts (uint32) ─ facts, JSON ─ bytes of each part (float64) ─ parts ─ SHA-256
 * ```
 *
 * If a run was killed while it wrote a record, the complete records before it are used.
 * @throws CompressError `data` for results of something else, or a file that is not results; `io`
 */
export async function resultsFile(path: string, identity: Identity): Promise<ResultsFile> {
  const fd = await files.open(path, constants.O_RDWR | NO_LINKS).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw ioError(path, cause);
  });
  if (fd === undefined) return new File(path, identity);
  try {
    return new File(path, identity, { fd, ...(await recordsIn(fd, path, identity)) });
  } catch (cause) {
    await files.close(fd);
    throw cause;
  }
}

/** Do not follow a link that replaced the file; Windows has no such flag. */
const NO_LINKS: number = constants.O_NOFOLLOW ?? 0;

/** An open file. */
interface Opened {
  readonly fd: number;
  readonly records: RecordOf[];
  /** Position of the next record. */
  end: number;
}

class File implements ResultsFile {
  readonly earlier: number;
  readonly #path: string;
  readonly #identity: Identity;
  #opened: Opened | undefined;

  constructor(path: string, identity: Identity, opened?: Opened) {
    [this.#path, this.#identity, this.#opened] = [path, identity, opened];
    this.earlier = this.count;
  }

  get count(): number {
    return this.#opened?.records.length ?? 0;
  }

  read(index: number): Result {
    const { fd, records } = this.#opened as Opened;
    return this.#resultOf(fd, records[index] as RecordOf);
  }

  async add(facts: unknown, parts: readonly Uint8Array[]): Promise<Result> {
    this.#opened ??= await this.#make();
    const { fd, records, end } = this.#opened;
    const record = await append(fd, this.#path, end, facts, parts);
    this.#opened.end = record.end;
    records.push(record);
    return this.#resultOf(fd, record);
  }

  async #make(): Promise<Opened> {
    const path = this.#path;
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    const fd = await guarded(path, async () => {
      await mkdir(dirname(path), { recursive: true });
      return files.open(path, flags, 0o600);
    });
    try {
      await writeAll(fd, Buffer.from(MAGIC), 0, path);
      const { end } = await append(fd, path, MAGIC.length, this.#identity, []);
      return { fd, records: [], end };
    } catch (cause) {
      // A partial beginning would be refused later.
      await rm(path, { force: true }).catch(() => {});
      await files.close(fd);
      throw cause;
    }
  }

  async close(): Promise<void> {
    if (this.#opened !== undefined) await guarded(this.#path, () => files.close((this.#opened as Opened).fd));
  }

  #resultOf(fd: number, { facts, parts }: RecordOf): Result {
    const load =
      ({ at, length }: Span) =>
      async (): Promise<Uint8Array> => {
        const bytes = new Uint8Array(length);
        await readAll(fd, bytes, at, this.#path);
        return bytes;
      };
    return { facts, parts: parts.map(load) };
  }
}

/** A range of bytes in a file. */
interface Span {
  readonly at: number;
  readonly length: number;
}

interface RecordOf {
  readonly facts: unknown;
  readonly parts: readonly Span[];
  /** Start of the next one. */
  readonly end: number;
}

/** The complete records of a file; anything after them is truncated. */
async function recordsIn(fd: number, path: string, identity: Identity): Promise<Omit<Opened, 'fd'>> {
  const found = fstatSync(fd);
  const { size } = found;
  const magic = Buffer.alloc(MAGIC.length);
  if (!found.isFile() || size < magic.length) throw noResults(path);
  await readAll(fd, magic, 0, path);
  const head = magic.toString('latin1') === MAGIC && (await recordAt(fd, path, MAGIC.length, size));
  if (!head) throw noResults(path);
  refuseOther(path, head.facts, identity);
  const records: RecordOf[] = [];
  let { end } = head;
  for (;;) {
    const record = await recordAt(fd, path, end, size);
    if (record === undefined) break;
    records.push(record);
    end = record.end;
  }
  await guarded(path, () => files.truncate(fd, end));
  return { end, records };
}

function noResults(path: string): CompressError {
  return new CompressError('data', path, 'contains no layer results', { hint: 'Name another folder.' });
}

function refuseOther(path: string, found: unknown, identity: Identity): void {
  const other = Object.keys(identity).filter((key) => (found as Identity | null)?.[key] !== identity[key]);
  if (other.length === 0) return;
  throw new CompressError('data', path, `contains the results of another run, which differs in: ${other.join(', ')}`, {
    hint: 'Name the folder of this run, or leave out `resume` to start again.',
  });
}

/** The record at a position; undefined if it is not complete. */
async function recordAt(fd: number, path: string, at: number, size: number): Promise<RecordOf | undefined> {
  const piece = async (start: number, length: number): Promise<Buffer | undefined> => {
    if (start + length > size) return undefined;
    const bytes = Buffer.alloc(length);
    await readAll(fd, bytes, start, path);
    return bytes;
  };
  const lengths = await piece(at, 8);
  if (lengths === undefined) return undefined;
  const [text, count] = [lengths.readUInt32LE(0), lengths.readUInt32LE(4)];
  if (text > MAX_FACTS || count > MAX_PARTS) return undefined;
  const rest = await piece(at + 8, text + 8 * count);
  if (rest === undefined) return undefined;
  const parts: Span[] = [];
  let end = at + 8 + rest.length;
  for (let index = 0; index < count; index++) {
    const length = rest.readDoubleLE(text + 8 * index);
    if (!Number.isSafeInteger(length) || length < 0 || end + length > size) return undefined;
    parts.push({ at: end, length });
    end += length;
  }
  const hash = createHash('sha256').update(lengths).update(rest);
  for (let from = end - parts.reduce((sum, one) => sum + one.length, 0); from < end; from += PIECE) {
    hash.update((await piece(from, Math.min(PIECE, end - from))) as Buffer);
  }
  const digest = await piece(end, DIGEST);
  if (digest === undefined || !hash.digest().equals(digest)) return undefined;
  const facts = parsed(rest.toString('utf8', 0, text));
  return facts === undefined ? undefined : { facts, parts, end: end + DIGEST };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function append(
  fd: number,
  path: string,
  at: number,
  facts: unknown,
  parts: readonly Uint8Array[],
): Promise<RecordOf> {
  const text = Buffer.from(JSON.stringify(facts));
  const head = Buffer.alloc(8 + text.length + 8 * parts.length);
  head.writeUInt32LE(text.length, 0);
  head.writeUInt32LE(parts.length, 4);
  text.copy(head, 8);
  for (const [index, { byteLength }] of parts.entries()) head.writeDoubleLE(byteLength, 8 + text.length + 8 * index);
  const hash = createHash('sha256');
  let end = at;
  const spans: Span[] = [];
  for (const bytes of [head, ...parts]) {
    hash.update(bytes);
    await writeAll(fd, bytes, end, path);
    if (bytes !== head) spans.push({ at: end, length: bytes.byteLength });
    end += bytes.byteLength;
  }
  await writeAll(fd, hash.digest(), end, path);
  return { facts, parts: spans, end: end + DIGEST };
}

async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw ioError(path, cause);
  }
}
