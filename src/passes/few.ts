/** A weight, and the number of data vectors that its layer saw. */
export interface Met {
  readonly weight: string;
  readonly inputs: number;
  readonly vectors: number;
  /** How many the data has; absent if all were used. */
  readonly of?: number;
}

/**
 * A warning if layers saw fewer data vectors than they have inputs. The sums of outer products are then rank-deficient,
 * and a fit is arbitrary in all remaining directions.
 * @param layers - all of them
 * @param advice - what to do instead
 * @returns undefined if each layer saw enough
 */
export function fewVectors(layers: readonly Met[], advice: string): string | undefined {
  const few = layers.filter(({ inputs, vectors }) => vectors < inputs);
  const [worst] = few.sort((a, b) => a.vectors / a.inputs - b.vectors / b.inputs);
  if (worst === undefined) return undefined;
  const { weight, inputs, vectors } = worst;
  const received = `${vectors} data ${vectors === 1 ? 'vector' : 'vectors'}`;
  const met = `'${weight}' received ${received}, fewer than its ${inputs} inputs`;
  const others = few.length === 1 ? '' : `, and ${few.length - 1} more of ${layers.length} layers received too few`;
  return `warning: ${met}${others}, so the statistics are unreliable. ${advice}`;
}

/**
 * A note that only part of the data was used, if there is more than layers need.
 * @returns undefined if each layer saw all of its vectors
 */
export function someVectors(layers: readonly Met[]): string | undefined {
  const some = layers.flatMap(({ weight, vectors, of }) =>
    of === undefined || of === vectors ? [] : [{ weight, vectors, of }],
  );
  const [least] = some.sort((a, b) => a.vectors / a.of - b.vectors / b.of);
  if (least === undefined) return undefined;
  const { weight, vectors, of } = least;
  const example = `${vectors} of ${of} vectors for '${weight}'`;
  return `only part of the data was needed for ${some.length} of ${layers.length} layers: ${example}`;
}
