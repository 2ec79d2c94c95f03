import type { Constant } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { alikeTensors, dedupedNote, shareAll } from '../copy/dedupe.ts';
import type { PassFact } from '../facts.ts';
import { fold } from '../fold/index.ts';
import type { PassReport } from '../pass.ts';
import type { ResolvedOptions } from './options.ts';

/** What was done before quantization. */
export interface Prepared extends Pick<PassReport, 'facts'> {
  readonly notes: readonly string[];
}

/** Whether equal weights may be stored once: not if weights are selected by name, because one name disappears. */
export function sharesWeights({ include, exclude }: Pick<ResolvedOptions, 'include' | 'exclude'>): boolean {
  return include.length === 0 && exclude.length === 0;
}

/** Weights that may be equal, in groups. Biases are left out, because correcting one must not change another. */
export function alikeWeights(model: Model): Promise<Constant[][]> {
  return alikeTensors(model, ({ dims }) => dims.length > 1);
}

/**
 * Folds the model if `folds` is set, and stores equal weights once. Folding merges a BatchNormalization into a weight
 * without enlarging it. It comes first because it does not fold a weight with two readers.
 * @param alike - from {@link alikeWeights}
 */
export async function prepare(model: Model, folds: boolean, alike: readonly Constant[][]): Promise<Prepared> {
  const notes: string[] = [];
  const facts: PassFact[] = [];
  const folded = folds ? await fold().run(model) : undefined;
  if (folded?.facts !== undefined) {
    facts.push(...folded.facts);
    notes.push(`folded first: ${folded.notes.join('; ')}`);
  }
  // Folded weights have changed: group again only then.
  const groups = alike.length > 0 && folded?.facts !== undefined ? await alikeWeights(model) : alike;
  const shared = await shareAll(model, groups);
  if (shared.tensors > 0) {
    facts.push({ kind: 'deduplicated', ...shared });
    notes.push(dedupedNote(shared));
  }
  return { ...(facts.length === 0 ? {} : { facts }), notes };
}
