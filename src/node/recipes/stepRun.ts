import type { ActivationRanges } from '../../activations/ranges.ts';
import type { OnProgress } from '../activations/progress.ts';
import type { ResultsFolder } from '../files/resultsFolder.ts';
import type { ChannelRun } from './channels.ts';

/** What goes with the run of a step, and is not an option of its verb. */
export interface StepRun {
  /** What is told how far running the model on data is, and what is computed of it. */
  readonly progress?: (what: 'calibrating' | 'quantizing' | 'pruning') => OnProgress;
  /** Lines about groups of channels. */
  readonly describeGroups?: ChannelRun['describeGroups'];
  /** Told what bounded the scales of channels. */
  readonly onEqualized?: (ranges: ActivationRanges) => void;
  /** Write no file of ranges. */
  readonly dryRun?: boolean;
  /** Where results of layers are kept while a run is not over. */
  readonly results?: ResultsFolder;
  /** Replace a file of ranges that exists. */
  readonly overwrite?: boolean;
}
