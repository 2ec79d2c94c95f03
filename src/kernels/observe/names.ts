/**
 * How the range of an activation is chosen from what was seen of it.
 * `minmax`: all of it. `moving-average`: the moving averages of each batch's smallest and largest value.
 * `percentile`: all but the outermost elements. `entropy`: what loses least information. `mse`: what has the smallest
 * squared error.
 */
export type ObserverKind = 'minmax' | 'moving-average' | 'percentile' | 'entropy' | 'mse';

/** All observers, by the names the command line has for them. */
export const OBSERVERS: readonly ObserverKind[] = ['minmax', 'moving-average', 'percentile', 'entropy', 'mse'];

/** The one that measures best over our models: docs/passes/quantize.md has the table. */
export const DEFAULT_OBSERVER: ObserverKind = 'minmax';
