const BLOCKS = '▁▂▃▄▅▆▇█';
const ASCII = '.:-=+*%#';

/** Counts as a row of bars, one character each; a bin that is not empty has at least the lowest bar. */
export function bars(counts: readonly number[], ascii: boolean): string {
  const levels = ascii ? ASCII : BLOCKS;
  const most = counts.reduce((a, b) => Math.max(a, b), 0);
  return counts
    .map((one) => (one === 0 ? ' ' : (levels[Math.ceil((one / most) * levels.length) - 1] ?? levels[0])))
    .join('');
}
