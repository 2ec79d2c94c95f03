import type { Change } from '../../../layers/skip.ts';
import type { Layer } from '../../../passes/tune/search.ts';

/**
 * The quantized weights as layers. Layers with the same name stay float together, because patterns cannot tell them
 * apart.
 */
export function changedLayers(changes: readonly Change[]): Layer[] {
  const layers = new Map<string, number>();
  for (const { weight, before, after } of changes) layers.set(weight, (layers.get(weight) ?? 0) + before - after);
  return [...layers].map(([name, saved]) => ({ name, saved }));
}

/** A regular expression that matches only this name, valid with the flag `u`. */
export function exactly(name: string): string {
  return `^${name.replaceAll(/[\^$\\.*+?()[\]{}|/]/g, '\\$&')}$`;
}
