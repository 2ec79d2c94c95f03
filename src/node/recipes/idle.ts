import type { Model } from '../../ir/model.ts';
import { matches } from '../../layers/pattern.ts';
import type { SelectionValues } from '../../options/common.ts';
import type { PassReport } from '../../passes/pass.ts';

/** A pattern of `include` or `exclude`. */
export interface Pattern {
  readonly option: 'include' | 'exclude';
  /** Its text as given. */
  readonly text: string;
  readonly expression: RegExp;
}

/** The patterns that match no node and no weight of the model in its current state. */
export function unmatched(model: Model, args: Partial<SelectionValues>): Pattern[] {
  const given = (['include', 'exclude'] as const).flatMap((option) => {
    const texts = args[option] ?? [];
    return texts.map((text): Pattern => ({ option, text, expression: new RegExp(text, 'u') }));
  });
  return unmatchedOf(given, model);
}

function unmatchedOf(given: readonly Pattern[], model: Model): Pattern[] {
  if (given.length === 0) return [];
  const left = new Set(given);
  for (const { node } of model.nodes()) {
    for (const one of left) if (matches(one.expression, [node.name, ...node.inputs])) left.delete(one);
    if (left.size === 0) break;
  }
  return [...left];
}

/**
 * The patterns among these that also match no name in the report or in the resulting model: a pass may name weights
 * when it folds or unpacks.
 */
export function unreported(patterns: readonly Pattern[], { changes, skips }: PassReport, model: Model): Pattern[] {
  if (patterns.length === 0) return [];
  const names = [
    ...changes.flatMap(({ weight, nodes }) => [weight, ...nodes]),
    ...skips.flatMap(({ weight, node }) => [weight, node]),
  ];
  return unmatchedOf(
    patterns.filter((one) => !matches(one.expression, names)),
    model,
  );
}
