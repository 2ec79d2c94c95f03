/**
 * A file that refers to other open files for some of its bytes, unchanged or with more zeros. So a model with untouched
 * or pruned weights can be given to another process without writing them (see handover.ts): the file has holes, and the
 * references follow after its end.
 */
import { accessSync, constants, fstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { checkRange, readInto, type Source } from '../../bytes/source.ts';
import type { Place } from '../../bytes/stored.ts';
import { CompressError, ioError } from '../../errors.ts';
import { allocate, CHANGED } from './handle.ts';
import { readPlace, ZERO_LIMIT } from './place.ts';

/** Bytes of a file, from `at` on, that are stored in another one. */
export interface Reference {
  readonly at: number;
  readonly byteLength: number;
  readonly place: Place;
}

/** What identifies a file. */
interface Identity {
  /** Its descriptor in the process that has it open. */
  readonly fd: number;
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
}

/** Whether another process of this user could open the file of a descriptor and find the same one. */
export function canRefer(fd: number): boolean {
  try {
    accessSync(`/proc/self/fd/${fd}`, constants.R_OK);
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}

/** References of this process, to be opened by another one with {@link openReferences}. */
export class ReferenceList {
  readonly #files = new Map<number, Identity>();
  readonly #references: Reference[] = [];

  get length(): number {
    return this.#references.length;
  }

  /** Adds the next one, in the order of their bytes; its file must not change. */
  add(reference: Reference): void {
    const { fd } = reference.place;
    if (!this.#files.has(fd)) {
      const { dev, ino, size, mtimeMs } = fstatSync(fd);
      this.#files.set(fd, { fd, dev, ino, size, mtimeMs });
    }
    this.#references.push(reference);
  }

  text(): string {
    return JSON.stringify({ files: [...this.#files.values()], references: this.#references });
  }
}

/** References of another process, with their files opened here. */
export interface OpenReferences {
  readonly references: readonly Reference[];
  /** @throws CompressError `io` if one of the files has changed */
  unchanged(label: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the files that another process refers to.
 * @param byteLength - of the file with the references
 * @throws CompressError `io` if they are invalid, or the files are not the intended ones
 */
export async function openReferences(text: string, process: number, byteLength: number): Promise<OpenReferences> {
  const { files, references } = parsed(text);
  const opened = new Map<number, { readonly handle: FileHandle; readonly identity: Identity }>();
  const close = async (): Promise<void> => {
    for (const { handle } of opened.values()) await handle.close().catch(() => {});
  };
  const unchanged = async (label: string): Promise<void> => {
    for (const { handle, identity } of opened.values()) {
      const now = await handle.stat();
      const same = (['dev', 'ino', 'size', 'mtimeMs'] as const).every((key) => now[key] === identity[key]);
      if (!same || !now.isFile()) throw new CompressError('io', label, 'was changed while it was being read', CHANGED);
    }
  };
  try {
    for (const identity of files) {
      const path = `/proc/${process}/fd/${identity.fd}`;
      const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
        throw ioError('the file that the previous command reads', cause);
      });
      opened.set(identity.fd, { handle, identity });
    }
    await unchanged('the file that the previous command reads');
    let end = 0;
    const here = references.map((one): Reference => {
      const file = opened.get(one.place.fd);
      checkReference(one, end, byteLength, file?.identity.size ?? -1);
      end = one.at + one.byteLength;
      return { ...one, place: { ...one.place, fd: file?.handle.fd as number } };
    });
    return { references: here, unchanged, close };
  } catch (cause) {
    await close();
    throw cause;
  }
}

/** @throws CompressError `io` unless it is the text of a {@link ReferenceList} */
function parsed(text: string): { readonly files: readonly Identity[]; readonly references: readonly Reference[] } {
  const { files, references } = attempt(() => JSON.parse(text)) ?? {};
  const named = (one: Identity): boolean => Number.isSafeInteger(one?.fd) && one.fd >= 0;
  const placed = (one: Reference): boolean => typeof one?.place === 'object' && one.place !== null;
  const whole = Array.isArray(files) && files.every(named) && Array.isArray(references) && references.every(placed);
  if (!whole || files.length > MOST_FILES) throw new CompressError('io', '<stdin>', SENSELESS);
  return { files, references };
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

/** Maximum number of files that a model and its weights come from. */
const MOST_FILES = 1000;
const SENSELESS = 'the previous command in the pipe sent a reference that does not fit its model';

/** @throws CompressError `io` if a reference exceeds its file, or overlaps the previous one */
function checkReference({ at, byteLength, place }: Reference, from: number, end: number, size: number): void {
  const { position, zeroed } = place;
  const whole = [at, byteLength, position, ...(zeroed === undefined ? [] : [zeroed.below, zeroed.until])];
  const fits = at >= from && byteLength > 0 && at + byteLength <= end && position + byteLength <= size;
  const zeros =
    zeroed === undefined || (zeroed.below < ZERO_LIMIT && byteLength % 4 === 0 && (zeroed.until - position) % 4 === 0);
  if (whole.every((one) => Number.isSafeInteger(one) && one >= 0) && fits && zeros) return;
  throw new CompressError('io', '<stdin>', SENSELESS);
}

/** A source that resolves references; `close()` closes all files. */
export function referringSource(base: Source, { references, unchanged, close }: OpenReferences): Source {
  const { label, byteLength } = base;
  /** The references that overlap `start` to `end`. */
  const within = (start: number, end: number): readonly Reference[] => {
    const from = firstEndingAfter(references, start);
    let to = from;
    while ((references[to]?.at ?? end) < end) to++;
    return references.slice(from, to);
  };
  const fill = async (target: Uint8Array, start: number): Promise<void> => {
    const end = start + target.byteLength;
    checkRange(label, start, end, byteLength);
    let done = start;
    for (const { at, byteLength: length, place } of within(start, end)) {
      if (done < at) await readInto(base, target.subarray(done - start, at - start), done);
      const first = Math.max(at, start);
      done = Math.min(at + length, end);
      await readPlace(place, target.subarray(first - start, done - start), first - at, label);
    }
    if (done < end) await readInto(base, target.subarray(done - start), done);
  };
  return {
    label,
    byteLength,
    async read(start, end) {
      checkRange(label, start, end, byteLength);
      if (within(start, end).length === 0) return base.read(start, end);
      const bytes = allocate(end - start, label);
      await fill(bytes, start);
      return bytes;
    },
    readInto: fill,
    files: {
      fd: undefined,
      borders: (start, end) =>
        within(start, end)
          .flatMap(({ at, byteLength: length }) => [at, at + length])
          .filter((at) => at > start && at < end),
      place(start, end) {
        const [one, ...others] = within(start, end);
        if (one === undefined) return base.files?.place(start, end);
        const { at, byteLength: length, place } = one;
        const whole = others.length === 0 && at <= start && end <= at + length;
        // Only whole elements can be known to be zero.
        if (!whole || (place.zeroed !== undefined && ((start - at) % 4 !== 0 || (end - at) % 4 !== 0)))
          return undefined;
        return { ...place, position: place.position + start - at };
      },
    },
    async unchanged() {
      await base.unchanged?.();
      await unchanged(label);
    },
    async close() {
      await close();
      await base.close();
    },
  };
}

/** The first reference that ends after `start`. */
function firstEndingAfter(references: readonly Reference[], start: number): number {
  let [low, high] = [0, references.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { at, byteLength } = references[middle] as Reference;
    if (at + byteLength > start) high = middle;
    else low = middle + 1;
  }
  return low;
}
