/**
 * UTF-8 that survives being wrong: a byte that is not valid UTF-8 becomes a lone surrogate U+DC80 … U+DCFF and is
 * turned back into that byte by {@link encodeText} (the idea of Python's PEP 383).
 */
export function decodeText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return escapeInvalid(bytes);
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

function escapeInvalid(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; ) {
    const length = sequenceLength(bytes[start] as number);
    const slice = bytes.subarray(start, start + length);
    try {
      if (length === 0 || slice.length < length) throw new RangeError();
      text += strict.decode(slice);
      start += length;
    } catch {
      text += String.fromCharCode(0xdc00 + (bytes[start] as number));
      start += 1;
    }
  }
  return text;
}

/** Bytes of a UTF-8 sequence by its first byte; 0 where no sequence begins so. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}
