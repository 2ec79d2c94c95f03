/** Signal-to-noise ratio in dB: `10 · log10(signal / noise)` of sums of squares; infinite without noise. */
export function decibels(signal: number, noise: number): number {
  return noise === 0 || signal === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / noise);
}
