import type { Option, Positional, Rows } from './option.ts';
import { STORES, type Store } from './stores.ts';

/** Options of every verb that writes a model. Options that were not given are absent. */
export interface CommonValues {
  model?: string | undefined;
  output?: string | undefined;
  force?: boolean | undefined;
  externalData?: boolean | undefined;
  embed?: boolean | undefined;
  dryRun?: boolean | undefined;
  json?: boolean | undefined;
  quiet?: boolean | undefined;
  verbose?: boolean | undefined;
  /** For verbs that support it: the path of the report page. */
  report?: string | undefined;
}

/** The model that most verbs read. */
export const MODEL: Positional = { help: 'ONNX file to read; - or nothing means standard input' };

/** The models of verbs that accept several. */
export const MODELS: Positional = {
  help: 'ONNX files, patterns (*.onnx) or a folder to read; - or nothing means standard input',
  many: true,
};

/** Help heading for options about written files. */
export const FILES = 'Files';
/** Help heading for options about reports. */
export const REPORT = 'Report';

export const COMMON_ROWS: Rows<Omit<CommonValues, 'report'>> = {
  output: {
    kind: 'target',
    alias: 'o',
    value: 'FILE',
    help: 'file to write; - or nothing means standard output',
    group: FILES,
  },
  force: { kind: 'flag', program: 'overwrite', alias: 'f', help: 'replace files that exist', group: FILES },
  externalData: {
    kind: 'flag',
    program: 'data: external',
    help: 'store weights in FILE.data next to the model',
    group: FILES,
    not: ['embed'],
  },
  embed: { kind: 'flag', program: 'data: embed', help: 'store weights in the model file (up to 2 GiB)', group: FILES },
  dryRun: { kind: 'flag', alias: 'n', help: 'report the changes and the size, but write nothing', group: REPORT },
  json: {
    kind: 'flag',
    help: 'also print the report as JSON (needs -o FILE or --dry-run)',
    group: REPORT,
  },
  quiet: {
    kind: 'flag',
    alias: 'q',
    help: 'print no report and no notes; errors are still printed',
    group: REPORT,
  },
  verbose: {
    kind: 'flag',
    alias: 'v',
    help: 'list every weight in the report; show stack traces of errors',
    group: REPORT,
  },
};

/** The path of the report page. */
export const REPORT_ROW: Option = {
  kind: 'target',
  value: 'FILE',
  help: 'write a self-contained HTML report with tables and charts',
  group: REPORT,
};

/** The path of the recipe that records the options of this run. */
export const SAVE_RECIPE_ROW: Option = {
  kind: 'target',
  value: 'FILE',
  help: 'save the options as a recipe for onnx-compress run',
  group: FILES,
};

/** Options of verbs that accept several models. */
export interface ManyValues {
  recursive?: boolean | undefined;
  jobs?: number | undefined;
}

/** The number of models processed at once. */
export const JOBS_ROW: Option = {
  kind: 'count',
  alias: 'j',
  value: 'N',
  default: 1,
  help: 'process N models at once, each in its own process (1)',
  group: FILES,
  run: true,
};

export const MANY_ROWS: Rows<ManyValues> = {
  recursive: {
    kind: 'flag',
    alias: 'r',
    help: 'search folders for models at any depth; without it, a folder given alone is copied whole',
    group: FILES,
    run: true,
  },
  jobs: JOBS_ROW,
};

/** The config file to use. */
export interface ConfigFileValues {
  config?: string | undefined;
  noConfig?: boolean | undefined;
}

export const CONFIG_ROWS: Rows<ConfigFileValues> = {
  config: {
    kind: 'file',
    value: 'FILE',
    help: 'read options from FILE (default: onnx-compress.json next to the model); the command line wins',
    group: FILES,
    run: true,
    not: ['noConfig'],
  },
  noConfig: { kind: 'flag', help: 'ignore onnx-compress.json', group: FILES, run: true },
};

/** Options of verbs that can be a step of a recipe. */
export interface StepValues extends CommonValues, ManyValues, ConfigFileValues {
  saveRecipe?: string | undefined;
}

export const STEP_ROWS: Rows<StepValues> = {
  saveRecipe: SAVE_RECIPE_ROW,
  report: REPORT_ROW,
  ...COMMON_ROWS,
  output: { ...COMMON_ROWS.output, help: `${COMMON_ROWS.output.help}; a folder if there are several models` },
  ...MANY_ROWS,
  ...CONFIG_ROWS,
};

/** Options of verbs that select weights. */
export interface SelectionValues {
  opTypes?: readonly string[] | undefined;
  include?: readonly string[] | undefined;
  exclude?: readonly string[] | undefined;
}

/** @param known - operators whose weights the verb handles */
export function selectionRows(known: readonly string[]): Rows<SelectionValues> {
  const group = 'Which weights';
  return {
    opTypes: { kind: 'words', value: 'TYPES', help: `only weights of these operators: ${known.join(',')}`, group },
    include: {
      kind: 'patterns',
      value: 'REGEX',
      help: 'only weights whose own or node name matches this regular expression',
      group,
    },
    exclude: {
      kind: 'patterns',
      value: 'REGEX',
      help: 'skip weights whose own or node name matches this regular expression',
      group,
    },
  };
}

/** Where a long run keeps results, so that it can resume. */
export interface ResumeValues {
  resume?: string | undefined;
}

export const RESUME_ROWS: Rows<ResumeValues> = {
  resume: {
    kind: 'text',
    run: true,
    value: 'DIR',
    help:
      'folder for the results of each layer: an interrupted run with data left DIR (OUT.resume) and continues ' +
      'from it',
    group: FILES,
  },
};

/** How a verb that makes or keeps zeros stores its result. */
export interface StoreValues {
  store?: Store | undefined;
}

export const STORE_ROWS: Rows<StoreValues> = {
  store: {
    kind: 'choice',
    choices: STORES,
    default: 'dense',
    value: 'FORM',
    help: 'dense (the default), or store weights with many zeros in fewer bytes, as pack does: bitmask, sparse, auto',
    group: 'How to store',
  },
};
