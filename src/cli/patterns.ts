import type { Model } from '../ir/model.ts';
import { readSelection, type SelectionArguments } from './arguments.ts';

/** A sentence for each --include and --exclude that nothing in the model matches: it is probably mistyped. */
export function unmatched(model: Model, args: Partial<SelectionArguments>): string[] {
  const { include, exclude } = readSelection({ opTypes: undefined, include: args.include, exclude: args.exclude });
  const given = [
    ...include.map((pattern) => ({ option: '--include', pattern })),
    ...exclude.map((pattern) => ({ option: '--exclude', pattern })),
  ];
  if (given.length === 0) return [];
  const left = new Set(given);
  for (const { node } of model.nodes()) {
    for (const one of left) {
      if ([node.name, ...node.inputs].some((name) => one.pattern.test(name))) left.delete(one);
    }
    if (left.size === 0) break;
  }
  return [...left].map(({ option, pattern }) => `${option} ${pattern.source} matches no weight and no node`);
}
