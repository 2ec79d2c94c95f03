/** What is measured: the share of rows that are right, of those that get the same class, or the noise alone. */
export const METRICS = ['accuracy', 'top1', 'sqnr'] as const;
export type MetricName = (typeof METRICS)[number];
