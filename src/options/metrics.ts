/** The metric: the share of rows with the right class, the share of rows with the same class, or only the noise. */
export const METRICS = ['accuracy', 'top1', 'sqnr'] as const;
export type MetricName = (typeof METRICS)[number];
