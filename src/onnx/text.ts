/**
 * UTF-8 that survives being wrong: a byte that is not valid UTF-8 becomes a lone surrogate U+DC80 … U+DCFF and is
 * turned back into that byte by {@link encodeText} (the idea of Python's PEP 383).
 */
export function decodeText(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  const ascii = end - start <= SHORT ? decodeAscii(bytes, start, end) : undefined;
  if (ascii !== undefined) return ascii;
  const text = bytes.subarray(start, end);
  try {
    return strict.decode(text);
  } catch {
    return escapeInvalid(text);
  }
}

/** The bytes {@link decodeText} read the text from. */
export function encodeText(text: string): Uint8Array {
  if (!ESCAPED.test(text)) return encoder.encode(text);
  const parts: number[] = [];
  for (const char of text) {
    const code = char.codePointAt(0) as number;
    if (code >= 0xdc80 && code <= 0xdcff) parts.push(code - 0xdc00);
    else parts.push(...encoder.encode(char));
  }
  return Uint8Array.from(parts);
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const ESCAPED = /[\udc80-\udcff]/;

/** Most names are ASCII and shorter than this: then no decoder needs to be called. */
const SHORT = 64;

function decodeAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = '';
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte >= 0x80) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Decodes what is valid and escapes the rest, in one pass: a name full of wrong bytes costs no more than another. */
function escapeInvalid(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      pieces.push(String.fromCharCode(0xdc00 + (bytes[at] as number)));
      at += 1;
    } else {
      pieces.push(String.fromCodePoint(codePoint(bytes, at, length)));
      at += length;
    }
  }
  return pieces.join('');
}

/** Bytes of the valid UTF-8 sequence that begins at `at`; 0 where none does. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  for (let index = 1; index < length; index++) {
    if (((bytes[at + index] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies past U+10FFFF show in the second byte.
  const second = bytes[at + 1] ?? 0;
  if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f)) return 0;
  if ((first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f)) return 0;
  return length;
}

function codePoint(bytes: Uint8Array, at: number, length: number): number {
  let code = (bytes[at] as number) & (length === 1 ? 0x7f : 0xff >> (length + 1));
  for (let index = 1; index < length; index++) code = (code << 6) | ((bytes[at + index] as number) & 0x3f);
  return code;
}
