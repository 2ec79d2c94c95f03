import type { Model } from '../../ir/model.ts';
import { Analysis } from './analysis.ts';
import { RULES } from './rules/index.ts';
import { loadSmall } from './small.ts';
import type { Choices } from './structure.ts';

/** How often the graph is walked again to try another axis of a Reshape. */
const MAX_WALKS = 12;

/**
 * Walks the main graph. If the axis along which a Reshape was followed turns out to be pinned, another axis is chosen
 * and the graph is walked again: `[N, S, 3·H·D]` cut into `[N, S, 3, H, D]` follows the heads H, not the 3.
 */
export async function analyze(model: Model, normalized: boolean): Promise<Analysis> {
  const small = await loadSmall(model.graph);
  const chosen: Choices = new Map();
  for (let walk = 1; ; walk++) {
    const analysis = new Analysis(model, small, chosen, normalized).run(RULES);
    if (walk === MAX_WALKS) return analysis;
    let again = false;
    for (const { node, options, axis } of analysis.choices) {
      const now = chosen.get(node) ?? 0;
      if (now + 1 >= options || analysis.space.pinOfAll(axis) === undefined) continue;
      chosen.set(node, now + 1);
      again = true;
    }
    if (!again) return analysis;
  }
}
