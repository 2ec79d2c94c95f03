/** One of several ways to store a weight: bytes of the file, and noise over the signal of the weight. */
export interface Offer {
  readonly bytes: number;
  readonly noise: number;
}

/** The limits of spending bytes. Noise is relative to its weight, and summed over all weights. */
export interface Limits {
  /** Bytes of all weights together. */
  readonly room: number;
  /** The least noise that a byte must remove to be spent. */
  readonly worth: number;
  /** With more noise than this, bytes are spent beyond `room`. */
  readonly ruined: number;
}

/** A better way for a weight: its additional bytes, and the noise it removes. */
interface Step {
  readonly weight: number;
  /** Index of the offer. */
  readonly to: number;
  readonly bytes: number;
  readonly noise: number;
  /** Noise taken away by each byte. */
  readonly worth: number;
}

/**
 * Chooses a way for each weight: the least noise that fits the room. Each weight starts with its smallest way. Then the
 * step that removes the most noise per byte is taken, until no step fits or none is worth its bytes.
 *
 * The relative noise of a weight carries over to its layer's output, however large the weight is. So noise counts
 * equally everywhere, and small weights get bytes first.
 *
 * @param weights - the offers for each, at least one
 * @returns the index of the offer for each
 */
export function spend(weights: readonly (readonly Offer[])[], { room, worth, ruined }: Limits): number[] {
  const hulls = weights.map(hullOf);
  const chosen = hulls.map(([first]) => first as number);
  const at = (weight: number, offer: number): Offer => weights[weight]?.[offer] as Offer;
  let bytes = chosen.reduce((sum, offer, weight) => sum + at(weight, offer).bytes, 0);
  let noise = chosen.reduce((sum, offer, weight) => sum + at(weight, offer).noise, 0);
  const steps = hulls.flatMap((hull, weight) =>
    hull.slice(1).map((to, before): Step => {
      const [a, b] = [at(weight, hull[before] as number), at(weight, to)];
      const [bytes, noise] = [b.bytes - a.bytes, a.noise - b.noise];
      return { weight, to, bytes, noise, worth: noise / bytes };
    }),
  );
  // The steps of one weight stay in order: along a hull, each is worth less than the one before.
  steps.sort((a, b) => b.worth - a.worth);
  const full = new Set<number>();
  for (const step of steps) {
    if (step.worth < worth) break;
    if (full.has(step.weight)) continue;
    if (bytes + step.bytes > room && noise <= ruined) {
      full.add(step.weight);
      continue;
    }
    chosen[step.weight] = step.to;
    bytes += step.bytes;
    noise -= step.noise;
  }
  return chosen;
}

/** The offers that are worth their bytes, the smallest first: the lower convex hull of noise over bytes. */
function hullOf(offers: readonly Offer[]): number[] {
  const at = (index: number | undefined): Offer => offers[index ?? 0] as Offer;
  const order = offers.map((_, index) => index).sort((a, b) => at(a).bytes - at(b).bytes || at(a).noise - at(b).noise);
  const hull: number[] = [];
  for (const index of order) {
    const { bytes, noise } = at(index);
    if (hull.length > 0 && noise >= at(hull.at(-1)).noise) continue;
    while (hull.length > 1) {
      const [before, last] = [at(hull.at(-2)), at(hull.at(-1))];
      const own = (before.noise - last.noise) * (bytes - last.bytes);
      if (own > (last.noise - noise) * (last.bytes - before.bytes)) break;
      hull.pop();
    }
    hull.push(index);
  }
  return hull;
}
