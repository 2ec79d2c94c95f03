import type { ActivationRanges } from '../../activations/ranges.ts';
import type { OnProgress } from '../activations/progress.ts';
import type { ResultsFolder } from '../files/resultsFolder.ts';
import type { ChannelRun } from './channels.ts';

/** Parameters for running a step that are not options of its verb. */
export interface StepRun {
  /** Receives the progress of running the model on data, and of what is computed from it. */
  readonly progress?: (what: 'calibrating' | 'quantizing' | 'pruning') => OnProgress;
  /** Lines about groups of channels. */
  readonly describeGroups?: ChannelRun['describeGroups'];
  /** Receives the ranges that limited the channel scales. */
  readonly onEqualized?: (ranges: ActivationRanges) => void;
  /** Do not write a file of ranges. */
  readonly dryRun?: boolean;
  /** Where results of layers are kept during a run. */
  readonly results?: ResultsFolder;
  /** Replace an existing file of ranges. */
  readonly overwrite?: boolean;
}
