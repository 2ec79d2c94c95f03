import { namesOf as namesOfHeld } from '../../layers/constant.ts';
import type { TargetWeight } from './targets.ts';

/** The names of a weight. */
export function namesOf({ held }: TargetWeight): readonly string[] {
  return namesOfHeld(held);
}

/**
 * The module of a node, as torch names it, from the name that PyTorch's exporter gives the node: `layers.0.fc` for
 * `/layers/layers.0/fc/MatMul`. The name of a list's child contains that of the list.
 */
export function modulePath(node: string): string | undefined {
  if (!node.startsWith('/')) return undefined;
  const parts = node.split('/').slice(1, -1);
  const path: string[] = [];
  for (const part of parts) {
    const last = path.at(-1);
    if (last !== undefined && part.startsWith(`${last}.`)) path.pop();
    path.push(part);
  }
  return path.length === 0 ? undefined : path.join('.');
}
