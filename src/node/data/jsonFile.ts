import { CompressError } from '../../errors.ts';
import { fileSource } from '../files/source.ts';

/** Maximum nesting: tensors have at most 32 dimensions, ranges none. An attack nests millions. */
const MAX_JSON_DEPTH = 100;
/**
 * Maximum number of arrays, objects and fields. An attack writes empty ones, three bytes each in the file and tens in
 * memory.
 */
const MAX_JSON_PARTS: number = 1 << 22;

/**
 * Reads a JSON file whose size and structure are checked before it is parsed.
 * @param most - maximum bytes
 * @param unreadable - the error for a file that is not JSON, given the parser's message
 * @throws CompressError `limit`, `io` (also if it is not a regular file), and that of `unreadable`
 */
export async function readJson(
  path: string,
  most: number,
  tooLarge: (byteLength: number) => CompressError,
  unreadable: (cause: Error) => CompressError,
): Promise<unknown> {
  const source = await fileSource(path);
  let bytes: Uint8Array;
  try {
    if (source.byteLength > most) throw tooLarge(source.byteLength);
    bytes = await source.read(0, source.byteLength);
  } finally {
    await source.close();
  }
  checkStructure(bytes, path);
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw unreadable(cause as Error);
  }
}

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/**
 * Counts brackets and colons outside of strings. Invalid JSON is left to the parser.
 * @throws CompressError `limit`
 */
export function checkStructure(bytes: Uint8Array, path: string): void {
  let depth = 0;
  let parts = 0;
  let inText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (inText) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inText = false;
      continue;
    }
    if (byte === QUOTE) inText = true;
    else if (OPEN.has(byte)) {
      parts++;
      if (++depth > MAX_JSON_DEPTH) {
        throw new CompressError('limit', path, `is nested more than ${MAX_JSON_DEPTH} levels deep`);
      }
    } else if (CLOSE.has(byte)) depth--;
    else if (byte === COLON) parts++;
    if (parts > MAX_JSON_PARTS) {
      throw new CompressError('limit', path, `has more than ${MAX_JSON_PARTS} arrays, objects and fields`);
    }
  }
}
