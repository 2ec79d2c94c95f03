import { MODEL, STEP_ROWS, type StepValues } from './common.ts';
import type { Table } from './option.ts';

export interface CopyValues extends StepValues {
  set?: readonly string[] | undefined;
  dedupe?: boolean | undefined;
}

const GROUP = 'What to change';

export const COPY: Table<CopyValues> = {
  positionals: { model: MODEL },
  rows: {
    set: {
      kind: 'names',
      value: 'NAME=VALUE',
      help: 'make an input a constant, a number or lists of them as JSON; branches that are dead then go',
      group: GROUP,
    },
    dedupe: { kind: 'flag', help: 'store tensors that are equal once', group: GROUP },
    ...STEP_ROWS,
  },
};
