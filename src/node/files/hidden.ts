import { createHash } from 'node:crypto';
import { TAG } from './owner.ts';

/** Longest name of a file on common file systems, in bytes. */
const MAX_NAME = 255;
/** The longest tag with its dots and ending. */
const MAX_TAIL = 80;
const MAX_STEM: number = MAX_NAME - MAX_TAIL;

/**
 * What a hidden file beside an output is: an output in the making, or the old file while a new pair takes its place.
 */
export type HiddenKind = 'tmp' | 'old';

/** A hidden file of ours, by its name. */
export interface HiddenName {
  /** Stands for the output's name, see {@link stemOf}. */
  readonly stem: string;
  readonly tag: string;
  readonly kind: HiddenKind;
}

const PATTERN = new RegExp(`^\\.(.+)\\.(${TAG})\\.(tmp|old)$`, 's');

/**
 * How the name of an output stands in those of its hidden files: as it is, slashes escaped; a very long one is cut, and
 * told from others by a digest.
 */
export function stemOf(name: string): string {
  const escaped = name.replaceAll('%', '%25').replaceAll('/', '%2F').replaceAll('\\', '%5C');
  if (Buffer.byteLength(escaped) <= MAX_STEM) return escaped;
  const digest = createHash('sha256').update(escaped).digest('hex').slice(0, 16);
  let start = escaped.slice(0, MAX_STEM - 17);
  while (Buffer.byteLength(start) > MAX_STEM - 17) start = start.slice(0, -1);
  // Half a pair of UTF-16 would be another character on the disk.
  if (/[\ud800-\udbff]$/.test(start)) start = start.slice(0, -1);
  return `${start}~${digest}`;
}

/** The name a stem stands for; undefined for one that was cut. */
export function nameOf(stem: string): string | undefined {
  if (/~[0-9a-f]{16}$/.test(stem)) return undefined;
  return stem.replaceAll('%2F', '/').replaceAll('%5C', '\\').replaceAll('%25', '%');
}

/** Name of a hidden file for an output, e.g. `.small.onnx.<tag>.tmp`. */
export function hiddenName(name: string, tag: string, kind: HiddenKind): string {
  return `.${stemOf(name)}.${tag}.${kind}`;
}

/** What a file is by its name; undefined for one that is none of ours. */
export function parseHidden(name: string): HiddenName | undefined {
  const [, stem, tag] = PATTERN.exec(name) ?? [];
  if (stem === undefined || tag === undefined) return undefined;
  return { stem, tag, kind: name.endsWith('.old') ? 'old' : 'tmp' };
}
