import { MODELS, STEP_ROWS, type StepValues } from './common.ts';
import type { Table } from './option.ts';

/** The lowest opset whose operators are supported. */
export const LOWEST_OPSET = 7;
/** The highest opset whose changes were compared with the schemas. */
export const HIGHEST_OPSET = 26;

export interface ConvertValues extends StepValues {
  opset?: number | undefined;
  forceOpset?: boolean | undefined;
  float32?: boolean | undefined;
}

const GROUP = 'What to write';

export const CONVERT: Table<ConvertValues> = {
  positionals: { model: MODELS },
  rows: {
    opset: {
      kind: 'whole',
      value: 'N',
      help: `target opset, ${LOWEST_OPSET} to ${HIGHEST_OPSET}; raises the IR version if needed`,
      group: GROUP,
    },
    forceOpset: {
      kind: 'flag',
      program: 'force',
      help: 'write the model even if ONNX Runtime lacks a kernel for an operator at that opset',
      group: GROUP,
    },
    float32: {
      kind: 'flag',
      help: 'convert float16 and bfloat16 to float32: weights, activations, inputs and outputs',
      group: GROUP,
    },
    ...STEP_ROWS,
  },
};
