import type { Activations } from '../../../activations/requests.ts';
import type { Keep, Results } from '../../../activations/results.ts';
import type { Model } from '../../../ir/model.ts';
import type { Watch } from '../../pass.ts';

/** What may help, beside the options. */
export interface LowSources {
  /** Of the model, on data like that it is for: codes are chosen by what they do to outputs. */
  readonly activations?: Activations;
  /** Where packed codes of a model wait until they are written; memory if omitted. */
  readonly keep?: ((model: Model) => Keep) | undefined;
  /** What data tells of each layer. */
  readonly results?: Results | undefined;
  readonly watch?: Watch | undefined;
  /** Told after each layer whose codes were chosen by data. */
  readonly onLayer?: ((done: number, total: number) => void) | undefined;
}
