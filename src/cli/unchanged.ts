import type { UnchangedWords } from '../node/recipes/runStep.ts';
import { skipLines } from './skips.ts';
import { printable } from './text.ts';

const ABSENT_WEIGHTS = ': the model has no weights of the operators it works on';
/** What helps where a logarithm follows. */
const BEFORE_LOG =
  '  --calibrate DATA measures what 8 bits would cost before the Log; --include NAME quantizes without measuring';
/** What a model lacks if one of these passes finds nothing. */
const ABSENT: Readonly<Record<string, string>> = {
  float16: ': no large tensor of the model is float32',
  dequantize: ': the model has no integer weights or computations, and no 16-bit weights',
};

/**
 * The error for a step that changed nothing: the reasons, one line each.
 * @param verbose - name every weight
 */
export function unchangedWith(
  verbose: boolean,
  hint = 'Use --allow-unchanged to pass such models through.',
): UnchangedWords {
  return ({ report, notes }, where) => {
    const why = skipLines(report.skips, verbose ? 'all' : 'some', (word) => word);
    const facts = [...report.notes, ...notes].map((note) => `  ${printable(note)}`);
    const fact = why.length > 0 || report.pass === 'pack' ? '' : (ABSENT[report.pass] ?? ABSENT_WEIGHTS);
    const first = `${report.pass} found nothing to change${fact}`;
    const logs = report.skips.some(({ reason }) => reason === 'before_log');
    const lines = [first, ...why, ...facts, ...(logs ? [BEFORE_LOG] : [])];
    return { where: printable(where), fact: lines.join('\n'), hint };
  };
}
