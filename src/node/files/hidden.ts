import { createHash } from 'node:crypto';
import { TAG } from './owner.ts';

/** Longest file name on common file systems, in bytes. */
const MAX_NAME = 255;
/** The longest tag with its dots and suffix. */
const MAX_TAIL = 80;
const MAX_STEM: number = MAX_NAME - MAX_TAIL;

/** The kind of a hidden file next to an output: an unfinished output, or an old file that is being replaced. */
export type HiddenKind = 'tmp' | 'old';

/** A hidden file of ours, by its name. */
export interface HiddenName {
  /** Represents the output's name, see {@link stemOf}. */
  readonly stem: string;
  readonly tag: string;
  readonly kind: HiddenKind;
}

const PATTERN = new RegExp(`^\\.(.+)\\.(${TAG})\\.(tmp|old)$`, 's');

/**
 * How an output's name is written in the names of its hidden files: unchanged except for escaped slashes. A very long
 * name is cut and gets a digest.
 */
export function stemOf(name: string): string {
  const escaped = name.replaceAll('%', '%25').replaceAll('/', '%2F').replaceAll('\\', '%5C');
  if (Buffer.byteLength(escaped) <= MAX_STEM) return escaped;
  const digest = createHash('sha256').update(escaped).digest('hex').slice(0, 16);
  let start = escaped.slice(0, MAX_STEM - 17);
  while (Buffer.byteLength(start) > MAX_STEM - 17) start = start.slice(0, -1);
  // Half a surrogate pair would become another character on the disk.
  if (/[\ud800-\udbff]$/.test(start)) start = start.slice(0, -1);
  return `${start}~${digest}`;
}

/** The name that a stem represents; undefined if it was cut. */
export function nameOf(stem: string): string | undefined {
  if (/~[0-9a-f]{16}$/.test(stem)) return undefined;
  return stem.replaceAll('%2F', '/').replaceAll('%5C', '\\').replaceAll('%25', '%');
}

/** Name of a hidden file for an output, e.g. `.small.onnx.<tag>.tmp`. */
export function hiddenName(name: string, tag: string, kind: HiddenKind): string {
  return `.${stemOf(name)}.${tag}.${kind}`;
}

/** Parses the name of a hidden file; undefined if it is not one of this program. */
export function parseHidden(name: string): HiddenName | undefined {
  const [, stem, tag] = PATTERN.exec(name) ?? [];
  if (stem === undefined || tag === undefined) return undefined;
  return { stem, tag, kind: name.endsWith('.old') ? 'old' : 'tmp' };
}
