/** The program name in help, hints and docs. */
export const PROGRAM = 'onnx-compress';

/** The verbs, as messages name them. */
export const VERBS = [
  'prune',
  'quantize',
  'dequantize',
  'pack',
  'fold',
  'convert',
  'copy',
  'run',
  'tune',
  'variants',
  'inspect',
  'diff',
  'verify',
  'bench',
] as const;

export type Verb = (typeof VERBS)[number];

/** Whether a word is a verb. */
export function isVerb(word: string): word is Verb {
  return (VERBS as readonly string[]).includes(word);
}

/** Verbs that can be a step of a recipe: the others change no model, or are made of steps. */
export const STEP_VERBS = ['prune', 'quantize', 'dequantize', 'pack', 'fold', 'convert', 'copy'] as const;

export type StepVerb = (typeof STEP_VERBS)[number];

/** Whether a verb can be a step of a recipe. */
export function isStepVerb(verb: string): verb is StepVerb {
  return (STEP_VERBS as readonly string[]).includes(verb);
}

/** The summary of a verb: one line of help, and how it takes data. */
interface Summary {
  readonly command: string;
  readonly describe: string;
  /** Hint for a user who gives data in place of the model. */
  readonly data?: string;
  /** Whether it computes weights. If so, threads for a large model start while the verb is loaded. */
  readonly computes: boolean;
  /** The label of the progress bar while its pass runs; the verb itself if omitted. */
  readonly doing?: string;
  /** Whether a run that changes nothing is a success; for other verbs it is an error. */
  readonly mayChangeNothing?: boolean;
}

/** Everything the program's help needs about each verb. */
export const SUMMARIES: { readonly [verb in Verb]: Summary } = {
  prune: {
    command: 'prune [model..]',
    describe: 'zero the least important weights, or remove channels',
    data: 'Give data with --calibrate, masks with --mask, scores with --scores.',
    computes: true,
    doing: 'pruning',
  },
  quantize: {
    command: 'quantize [model..]',
    describe: 'store weights in 8 or 4 bits or float16; compute in integers',
    data: 'Give data with --calibrate.',
    computes: true,
    doing: 'quantizing',
  },
  dequantize: {
    command: 'dequantize [model..]',
    describe: 'convert a quantized model back to float',
    computes: false,
    doing: 'dequantizing',
  },
  pack: {
    command: 'pack [model..]',
    describe: 'store pruned weights in fewer bytes; the outputs stay the same',
    computes: false,
  },
  fold: {
    command: 'fold [model..]',
    describe: 'fold BatchNormalization and constants into the weights',
    computes: true,
    mayChangeNothing: true,
  },
  convert: {
    command: 'convert [model..]',
    describe: 'rewrite a model for a higher opset; the outputs stay the same',
    computes: true,
    mayChangeNothing: true,
  },
  copy: {
    command: 'copy [model..]',
    describe: 'copy a model; move weights to a data file, fix inputs',
    computes: false,
    mayChangeNothing: true,
  },
  run: {
    command: 'run [recipe] [model]',
    describe: 'run the steps of a recipe',
    computes: false,
  },
  tune: {
    command: 'tune <model>',
    describe: 'quantize as much as the accuracy allows',
    data: 'Give validation data with --data, calibration data with --calibrate.',
    computes: false,
  },
  variants: {
    command: 'variants <model>',
    describe: 'write all files that transformers.js looks for',
    computes: true,
  },
  inspect: {
    command: 'inspect [model..]',
    describe: 'show what a model contains and how small it could be',
    computes: false,
  },
  diff: {
    command: 'diff <before> <after>',
    describe: 'show what changed between two models',
    computes: false,
  },
  verify: {
    command: 'verify <reference> <other>',
    describe: 'compare the outputs of two models, and the kernels they use',
    data: 'Give data with --data.',
    computes: false,
  },
  bench: {
    command: 'bench <models..>',
    describe: 'time models side by side; compare load time, size, memory',
    data: 'Give data with --data.',
    computes: false,
  },
};
