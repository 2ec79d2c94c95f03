import { PACK_STORE } from '../../options/pack.ts';
import type { Store } from '../../options/stores.ts';

export { STORES, type Store } from '../../options/stores.ts';

export interface PackOptions {
  readonly store?: Store;
  /** The pass follows another one, and a model it cannot make smaller is not an error. */
  readonly optional?: boolean;
}

export const PACK_DEFAULTS: Required<PackOptions> = { store: PACK_STORE, optional: false };
