import { MODELS, STEP_ROWS, type StepValues } from './common.ts';
import type { Table } from './option.ts';
import { STORES, type Store } from './stores.ts';

/** Default of `pack`. */
export const PACK_STORE: Store = 'bitmask';

export interface PackValues extends StepValues {
  store?: Store | undefined;
  allowUnchanged?: boolean | undefined;
}

const GROUP = 'How to store';

export const PACK: Table<PackValues> = {
  positionals: { model: MODELS },
  rows: {
    store: {
      kind: 'choice',
      choices: STORES,
      default: PACK_STORE,
      value: 'FORM',
      help:
        'bitmask (the default): one bit per weight plus the kept values; sparse: ONNX sparse tensors, smaller ' +
        'above about 98 % zeros; auto: the smaller of the two; dense: unpack',
      group: GROUP,
    },
    allowUnchanged: { kind: 'flag', help: 'accept a model that cannot become smaller', group: GROUP },
    ...STEP_ROWS,
  },
};
