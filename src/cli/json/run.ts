import type { ChannelReport } from '../../passes/channels/index.ts';
import type { PassReport } from '../../passes/pass.ts';
import type { RunReport } from '../pipe.ts';

/** What `--json` writes for a run that writes a model. */
export interface RunJson extends Omit<RunReport, 'passes'> {
  readonly passes: readonly (PassReport | ChannelReport)[];
}
