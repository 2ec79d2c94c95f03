/** Maximum length of a compared text: a longer one is not a mistyped option. */
const MAX_LENGTH = 40;

/**
 * The word a user most likely meant by another: the one it begins, or the nearest by insertions, deletions,
 * replacements and swaps of neighbours (optimal string alignment); of several the first.
 * @returns undefined if none is near: within 1 change, or 2 of a text of more than 4 letters
 */
export function nearest(text: string, words: readonly string[]): string | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  let best: string | undefined;
  let least = text.length > 4 ? 2.5 : 1.5;
  for (const word of words) {
    // Every other letter is one change away from a one-letter word.
    if (word.length < 2) continue;
    const cost = distance(text, word);
    if (cost < least) [best, least] = [word, cost];
  }
  if (best !== undefined || text.length < 3) return best;
  const begun = words.filter((word) => word.startsWith(text));
  return begun.length === 1 ? begun[0] : undefined;
}

/** ` Did you mean 'x'?` if one of the words is near, ignoring case and dashes; otherwise an empty string. */
export function didYouMean(given: string, words: readonly string[]): string {
  const plain = (word: string): string => word.toLowerCase().replaceAll(/[-_ ]/g, '');
  const found = given.length > MAX_LENGTH ? undefined : nearest(plain(given), words.map(plain));
  const word = words.find((one) => plain(one) === found);
  return word === undefined ? '' : ` Did you mean '${word}'?`;
}

function distance(one: string, other: string): number {
  let before: number[] = [];
  let above = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1];
      let cost = Math.min(
        (above[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (above[column - 1] as number) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      if (swapped) cost = Math.min(cost, (before[column - 2] as number) + 1);
      current.push(cost);
    }
    [before, above] = [above, current];
  }
  return above[other.length] as number;
}
