import { PACK_STORE } from '../../options/pack.ts';
import type { Store } from '../../options/stores.ts';

export { STORES, type Store } from '../../options/stores.ts';

export interface PackOptions {
  readonly store?: Store;
  /** The pass follows another one, and finding nothing to make smaller is no error. */
  readonly optional?: boolean;
}

export const PACK_DEFAULTS: Required<PackOptions> = { store: PACK_STORE, optional: false };
