import { uniformInt } from 'pure-rand/distribution/uniformInt';

/** One to four damages: bits, bytes, numbers that mean a lot, pieces cut out, doubled, or put elsewhere. */
export function damage(file, random) {
  const below = (end) => uniformInt(random, 0, Math.max(0, end - 1));
  let bytes = Uint8Array.from(file);
  // Half of all damage lies in the first 600 bytes, where the structure is.
  const place = () => below(below(2) === 0 ? Math.min(600, bytes.length) : bytes.length);
  const kinds = [];
  for (let left = 1 + below(4); left > 0 && bytes.length > 0; left--) {
    const at = place();
    const kind = ['flip', 'set', 'number', 'cut', 'end', 'splice', 'double'][below(7)];
    kinds.push(kind);
    const length = 1 + below(below(2) === 0 ? 8 : 400);
    const join3 = (a, b, c) => Uint8Array.from(Buffer.concat([a, b, c]));
    if (kind === 'flip') bytes[at] ^= 1 << below(8);
    else if (kind === 'set') for (let i = at; i < Math.min(bytes.length, at + 8); i++) bytes[i] = below(256);
    else if (kind === 'number') {
      const number = [
        [0xff, 0xff, 0xff, 0xff, 0x0f],
        Array(9).fill(0xff).concat(1),
        [0x80, 0x80, 0x80, 0x80, 0x08],
        [0],
      ][below(4)];
      bytes = join3(bytes.subarray(0, at), Uint8Array.from(number), bytes.subarray(at + 1));
    } else if (kind === 'cut') bytes = join3(bytes.subarray(0, at), new Uint8Array(0), bytes.subarray(at + length));
    else if (kind === 'end') bytes = bytes.slice(0, Math.max(at, 1));
    else {
      const from = kind === 'double' ? at : place();
      bytes = join3(bytes.subarray(0, at), bytes.slice(from, from + length), bytes.subarray(at));
    }
  }
  return { bytes, kinds };
}
