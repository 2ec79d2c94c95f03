/**
 * How the range of an activation is chosen from its observed values. `minmax`: the whole range. `moving-average`: the
 * moving averages of each batch's smallest and largest value. `percentile`: all but the outermost elements. `entropy`:
 * the range that loses the least information. `mse`: the range with the smallest squared error.
 */
export type ObserverKind = 'minmax' | 'moving-average' | 'percentile' | 'entropy' | 'mse';

/** All observers, by their names on the command line. */
export const OBSERVERS: readonly ObserverKind[] = ['minmax', 'moving-average', 'percentile', 'entropy', 'mse'];

/** The observer with the best results on our models; docs/passes/quantize.md has the table. */
export const DEFAULT_OBSERVER: ObserverKind = 'minmax';
