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
      help: 'accept a model without integers or 16-bit weights',
      group: 'What to change',
    },
    ...STEP_ROWS,
  },
};
