import type { Activations } from '../../../activations/requests.ts';
import type { Watch } from '../../pass.ts';

/** Puts bytes aside, and reads them again. */
export type Keep = (bytes: Uint8Array) => Promise<() => Promise<Uint8Array>>;

/** What may help, beside the options. */
export interface LowSources {
  /** Of the model, on data like that it is for: codes are chosen by what they do to outputs. */
  readonly activations?: Activations;
  readonly keep?: Keep | undefined;
  readonly watch?: Watch | undefined;
  /** Told after each layer whose codes were chosen by data. */
  readonly onLayer?: ((done: number, total: number) => void) | undefined;
}
