/** A weight, and how many vectors of data say what it is worth. */
export interface Met {
  readonly weight: string;
  readonly inputs: number;
  readonly vectors: number;
  /** How many the data has; absent where all were looked at. */
  readonly of?: number;
}

/**
 * A warning where layers met fewer vectors of data than they have inputs: their sums of outer products are of lower
 * rank than the layer then, and what is fitted to them is chance in every other direction.
 * @param layers - all of them
 * @param advice - what else there is
 * @returns undefined if each layer met enough
 */
export function fewVectors(layers: readonly Met[], advice: string): string | undefined {
  const few = layers.filter(({ inputs, vectors }) => vectors < inputs);
  const [worst] = few.sort((a, b) => a.vectors / a.inputs - b.vectors / b.inputs);
  if (worst === undefined) return undefined;
  const { weight, inputs, vectors } = worst;
  const met = `'${weight}' received ${vectors} data ${vectors === 1 ? 'vector' : 'vectors'}, fewer than its ${inputs} inputs`;
  const others = few.length === 1 ? '' : `, and ${few.length - 1} more of ${layers.length} layers received too few`;
  return `warning: ${met}${others}, so the statistics are unreliable. ${advice}`;
}

/**
 * Says that not all of the data was looked at, where it has more than layers need.
 * @returns undefined if each layer met all of its vectors
 */
export function someVectors(layers: readonly Met[]): string | undefined {
  const some = layers.flatMap(({ weight, vectors, of }) =>
    of === undefined || of === vectors ? [] : [{ weight, vectors, of }],
  );
  const [least] = some.sort((a, b) => a.vectors / a.of - b.vectors / b.of);
  if (least === undefined) return undefined;
  const { weight, vectors, of } = least;
  return `only part of the data was needed for ${some.length} of ${layers.length} layers: ${vectors} of ${of} vectors for '${weight}'`;
}
