/** A word may differ from what was meant in a third of its letters. */
const SHARE = 3;

/** Words longer than this are no slips of the finger, and comparing them costs their square. */
const LONGEST = 64;

/** ` Did you mean 'x'?` where one of the words is close to what was given; nothing otherwise. */
export function didYouMean(given: string, words: readonly string[]): string {
  if (given.length > LONGEST) return '';
  const plain = (word: string): string => word.toLowerCase().replaceAll(/[-_ ]/g, '');
  const ranked = words
    .map((word) => ({ word, distance: distance(plain(given), plain(word)) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  if (best === undefined || best.distance > Math.ceil(Math.min(given.length, best.word.length) / SHARE)) return '';
  return ` Did you mean '${best.word}'?`;
}

/**
 * How many letters must be put in, taken out, replaced or swapped with their neighbour.
 * @see https://en.wikipedia.org/wiki/Damerau–Levenshtein_distance the restricted form
 */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(
        Math.min(
          (last[j] ?? 0) + 1,
          (row[j - 1] ?? 0) + 1,
          (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
          swap ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
