import type { Model } from '../../ir/model.ts';
import { inliningNotes } from '../inline/index.ts';
import { inlineWeights } from '../inline/weights.ts';
import { settleComputed } from './weights.ts';

/**
 * Brings weights to where passes look for them: out of functions, and from behind nodes that compute them from
 * constants.
 * @param which - of functions: all weights in them and handed to them, or only the handed ones
 * @returns sentences on what was done
 */
export async function bringWeights(
  model: Model,
  opTypes: readonly string[],
  which: 'all' | 'handed',
): Promise<string[]> {
  const notes = inliningNotes(inlineWeights(model, opTypes, which));
  return [...notes, ...(await settleComputed(model, opTypes))];
}
