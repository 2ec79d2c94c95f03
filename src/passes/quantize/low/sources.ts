import type { Activations } from '../../../activations/requests.ts';
import type { Keep, Results } from '../../../activations/results.ts';
import type { Model } from '../../../ir/model.ts';
import type { Watch } from '../../pass.ts';

/** Optional sources of data. */
export interface LowSources {
  /** Activations of the model on representative data, by which codes are chosen. */
  readonly activations?: Activations;
  /** Where packed codes are kept until they are written; memory if omitted. */
  readonly keep?: ((model: Model) => Keep) | undefined;
  /** Stored results for each layer. */
  readonly results?: Results | undefined;
  readonly watch?: Watch | undefined;
  /** Called after each layer whose codes were chosen by data. */
  readonly onLayer?: ((done: number, total: number) => void) | undefined;
}
