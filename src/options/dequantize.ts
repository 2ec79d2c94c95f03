import { MODELS, STEP_ROWS, type StepValues } from './common.ts';
import type { Table } from './option.ts';

export interface DequantizeValues extends StepValues {
  allowUnchanged?: boolean | undefined;
}

export const DEQUANTIZE: Table<DequantizeValues> = {
  positionals: { model: MODELS },
  rows: {
    allowUnchanged: {
      kind: 'flag',
      help: 'a model without integers, or weights in 16 bits, is no error',
      group: 'What to change',
    },
    ...STEP_ROWS,
  },
};
