import { MODELS, STEP_ROWS, type StepValues } from './common.ts';
import type { Table } from './option.ts';

export interface CopyValues extends StepValues {
  set?: readonly string[] | undefined;
  dedupe?: boolean | undefined;
}

const GROUP = 'What to change';

export const COPY: Table<CopyValues> = {
  positionals: { model: MODELS },
  rows: {
    set: {
      kind: 'names',
      value: 'NAME=VALUE',
      help: 'make an input a constant (a number, or lists as JSON) and remove dead branches',
      group: GROUP,
    },
    dedupe: { kind: 'flag', help: 'store equal tensors once', group: GROUP },
    ...STEP_ROWS,
  },
};
