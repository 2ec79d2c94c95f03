// The process that peak.ts starts: loads a model, runs it, and reports its peak memory.
import { readFileSync } from 'node:fs';
import { CompressError } from '../../errors.ts';
import type { Sample } from '../data/types.ts';
import { openSession } from './session.ts';

/** The request to the process. */
export interface PeakQuestion {
  readonly model: string;
  readonly feeds: Sample['feeds'];
  readonly threads: number | undefined;
}

/** Its answer. */
export type PeakAnswer = { readonly peakBytes: number } | { readonly error: string };

/** The first run allocates memory, and later ones may keep more. */
const RUNS = 3;

process.once('message', (question: PeakQuestion) => {
  void answer(question).then((found) => process.send?.(found));
});

async function answer({ model, feeds, threads }: PeakQuestion): Promise<PeakAnswer> {
  try {
    const session = await openSession(model, threads === undefined ? {} : { threads });
    for (let run = 0; run < RUNS; run++) await session.run(feeds);
    return { peakBytes: peak() };
  } catch (cause) {
    return { error: cause instanceof CompressError ? cause.message : String(cause) };
  }
}

/** On Linux the kernel's own figure: that of getrusage survives exec, so it would include the parent's memory. */
function peak(): number {
  try {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (line !== null) return Number(line[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}
