import { join } from 'node:path';
import { CompressError } from '../../errors.ts';
import { contentOf } from '../../node/files/modelFolder.ts';
import type { Jobs } from './jobs.ts';

/**
 * A job for each model of the reference folder, paired with the model of the same name in the other folder.
 * @throws CompressError `io`
 */
export async function pairsOf(reference: string, other: string): Promise<Jobs> {
  const [right, judged] = await Promise.all([reference, other].map((one) => contentOf(one).then((all) => all.models)));
  if (right === undefined || judged === undefined || right.length === 0) {
    throw new CompressError('io', reference, 'there is no .onnx file in this folder');
  }
  const jobs = right.map((name) => ({
    input: join(other, name),
    given: { reference: join(reference, name), other: join(other, name) },
  }));
  const notes = judged
    .filter((name) => !right.includes(name))
    .map((name) => `${join(other, name)}: ${reference} has no model of this name`);
  return { jobs, notes };
}
