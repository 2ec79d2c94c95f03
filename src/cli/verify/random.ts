import type { ChalkInstance } from 'chalk';
import type { RenderOptions } from '../table.ts';
import { wrap } from '../text.ts';

const HINT = 'Random inputs: they show that the two agree, not how well either does. Give real ones with --data.';

/** A warning about what figures on random data mean. */
export function randomLines({ columns }: RenderOptions, chalk: ChalkInstance): string[] {
  return wrap(`  ${chalk.yellow(HINT)}`, columns);
}
