import { COMMON_ROWS, type CommonValues, FILES, REPORT_ROW, RESUME_ROWS, type ResumeValues } from './common.ts';
import type { Table } from './option.ts';
import { STEP_VERBS } from './verbs.ts';

/** The key in a model's `metadata_props` for the recipe it was made with. */
export const RECIPE_KEY = 'onnx_compress.recipe';

export interface RunValues extends CommonValues, ResumeValues {
  recipe?: string | undefined;
  fromModel?: string | undefined;
  base?: string | undefined;
  print?: boolean | undefined;
  noMetadata?: boolean | undefined;
}

const RECIPE = 'Recipe';

export const RUN: Table<RunValues> = {
  positionals: {
    recipe: { help: `JSON file with the steps: ${STEP_VERBS.join(', ')} (docs/recipes.md)` },
    model: { help: 'ONNX file to read, or a folder of models; - or nothing means standard input' },
  },
  groups: [RECIPE, FILES],
  rows: {
    fromModel: {
      kind: 'file',
      value: 'MODEL',
      help: 'use the recipe stored in the metadata of this model',
      group: RECIPE,
    },
    base: {
      kind: 'file',
      value: 'DIR',
      help: 'folder that paths in the recipe are relative to (the folder of the recipe)',
      group: RECIPE,
    },
    print: {
      kind: 'flag',
      help: 'print the recipe, and write no model',
      group: RECIPE,
      not: ['output', 'json', 'dryRun', 'report'],
    },
    noMetadata: {
      kind: 'flag',
      help: `do not store the recipe in the metadata of the model (${RECIPE_KEY})`,
      group: RECIPE,
    },
    ...RESUME_ROWS,
    report: REPORT_ROW,
    ...COMMON_ROWS,
  },
};
