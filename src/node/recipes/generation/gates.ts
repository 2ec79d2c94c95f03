import { CompressError } from '../../../errors.ts';
import { checkShape } from '../../../options/check.ts';
import { VERIFY } from '../../../options/measure.ts';
import { type Gates, gateFacts } from '../../runtime/verify.ts';
import type { FamilyReport } from './verify.ts';

/**
 * Throws unless a comparison of families passes the gates, in each form of the decoder, with the judged encoder.
 * @throws CompressError `gate` that names each form, its figure and the required value
 */
export function checkFamilyGates({ decoders, other }: FamilyReport, gates: Omit<Gates, 'requireFused'>): void {
  const { minSqnr, minTop1 } = VERIFY.rows;
  checkShape('checkFamilyGates', gates, { minSqnr, minTop1 });
  const facts = decoders.flatMap(({ form, logits, together = logits }) => {
    return gateFacts([together], gates).map((fact) => `decoder ${form}: ${fact}`);
  });
  if (facts.length > 0) throw new CompressError('gate', other, facts.join('; '));
}
