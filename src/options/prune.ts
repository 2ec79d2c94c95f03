import { CompressError } from '../errors.ts';
import { MODELS, RESUME_ROWS, STEP_ROWS, STORE_ROWS, selectionRows } from './common.ts';
import type { Option, Rows, Table } from './option.ts';
import {
  CHANNEL_NORMS,
  checkCompany,
  type DetailValues,
  type Method,
  type MethodValues,
  PRUNABLE_OPS,
  PRUNE_DEFAULT,
  type PruneValues,
  STRUCTURED,
} from './pruneValues.ts';
import { togetherError } from './values.ts';

const METHODS = 'How to prune (choose one method)';
const MUCH = 'How much, and which weights';
const DATA = 'With data (needs onnxruntime-node)';
const CHANNELS = 'With --channels';
const FINE = 'What to allow';

export const METHOD_ROWS: Rows<MethodValues> = {
  l1: {
    kind: 'amount',
    things: 'weights',
    value: 'AMOUNT',
    help: 'the smallest weights; AMOUNT is a percentage (40%), a fraction (0.4) or a count (5000)',
    group: METHODS,
  },
  l2: {
    kind: 'amount',
    things: 'weights',
    value: 'AMOUNT',
    help: 'the smallest squares; for single weights the same as --l1',
    group: METHODS,
  },
  random: { kind: 'amount', things: 'weights', value: 'AMOUNT', help: 'randomly chosen weights', group: METHODS },
  structured: {
    kind: 'choice',
    choices: STRUCTURED,
    value: 'NORM',
    help: 'whole slices along --axis, smallest by this norm or random; --amount sets how many',
    group: METHODS,
  },
  nm: {
    kind: 'pair',
    value: 'N:M',
    help: 'keep the N largest of every M neighbouring input weights, e.g. 2:4',
    group: METHODS,
  },
  mask: {
    kind: 'file',
    value: 'FILE',
    help: 'a mask file (.npz, .safetensors) with an array per weight name: 0 prunes, 1 keeps',
    group: METHODS,
  },
  wanda: {
    kind: 'fraction',
    hint: 'Give the fraction of weights to prune: `wanda: 0.5`.',
    value: 'AMOUNT',
    help: 'smallest weight times activation norm, per output; AMOUNT is a percentage or fraction; needs --calibrate',
    group: METHODS,
  },
  sparsegpt: {
    kind: 'fraction',
    hint: 'Give the fraction of weights to prune: `sparsegpt: 0.5`.',
    value: 'AMOUNT',
    help: 'the weights that cost least when the others are adjusted to compensate; needs --calibrate',
    group: METHODS,
  },
  channels: {
    kind: 'fraction',
    hint: 'For example, `channels: 0.3` removes the least important 30 % of the channels of each layer.',
    value: 'AMOUNT',
    help: 'remove whole channels: the model gets smaller and faster; AMOUNT is a percentage or fraction',
    group: METHODS,
  },
};

const SINGLE = ['l1', 'l2'];
const SCORED = [...SINGLE, 'structured', 'nm'];
const BY_DATA = ['wanda', 'sparsegpt'];

export const DETAIL_ROWS: Rows<DetailValues> = {
  amount: {
    kind: 'amount',
    things: 'slices',
    value: 'AMOUNT',
    help: 'with --structured: percentage (30%), fraction (0.3) or count (8) of the slices of each weight',
    group: MUCH,
    of: ['structured'],
  },
  amounts: {
    kind: 'file',
    value: 'FILE',
    help: 'JSON file with amounts by name or regular expression: {"fc1.weight": 0.3, "conv": 0.5}',
    group: MUCH,
    of: [...SINGLE, 'random', 'structured'],
  },
  axis: {
    kind: 'axis',
    default: 'out',
    value: 'AXIS',
    help: 'out (the default): output channels; in: input channels; or an axis of the stored weight: 0, 1, -1',
    group: MUCH,
    of: ['structured'],
  },
  scores: {
    kind: 'file',
    value: 'FILE',
    help: 'file (.npz, .safetensors) with the importance of each weight, used instead of its magnitude',
    group: MUCH,
    of: SCORED,
  },
  layout: {
    kind: 'choice',
    choices: ['onnx', 'torch'],
    value: 'LAYOUT',
    help: 'layout of matrices in --mask and --scores: onnx (as stored in the model) or torch ([out, in])',
    group: MUCH,
    of: [...SCORED, 'mask'],
  },
  scope: {
    kind: 'choice',
    choices: ['tensor', 'global'],
    default: PRUNE_DEFAULT.scope,
    value: 'SCOPE',
    help: 'tensor (the default): AMOUNT of each tensor; global: AMOUNT of all weights together',
    group: MUCH,
    of: [...SINGLE, 'random', 'channels'],
  },
  of: {
    kind: 'choice',
    choices: ['all', 'remaining'],
    default: PRUNE_DEFAULT.of,
    value: 'WEIGHTS',
    help: 'all (the default): AMOUNT of all weights; remaining: AMOUNT of those that are not zero yet',
    group: MUCH,
    of: [...SINGLE, 'random', 'structured'],
  },
  seed: {
    kind: 'whole',
    default: PRUNE_DEFAULT.seed,
    value: 'N',
    help: `random seed; results are the same on every machine (${PRUNE_DEFAULT.seed})`,
    group: MUCH,
    of: ['random', 'structured'],
  },
  calibrate: {
    kind: 'file',
    word: 'random',
    value: 'DATA',
    help: 'model inputs: .npz, .npy, .json or a folder (docs/data.md)',
    group: DATA,
    of: [...BY_DATA, 'channels'],
  },
  samples: { kind: 'count', value: 'N', help: 'use the first N rows', group: DATA, of: [...BY_DATA, 'channels'] },
  batch: {
    kind: 'count',
    value: 'N',
    help: 'feed N rows at once (fixed batch size of the model, or 1)',
    group: DATA,
    of: [...BY_DATA, 'channels'],
  },
  parallelLayers: {
    kind: 'flag',
    program: 'parallel',
    default: false,
    help: 'let all layers see the unpruned model, which runs it less often',
    group: DATA,
    of: BY_DATA,
  },
  damping: {
    kind: 'number',
    what: 'a number from 0 to 1',
    most: 1,
    default: PRUNE_DEFAULT.damping,
    value: 'SHARE',
    help: `--sparsegpt: added to the Hessian, as a fraction of its mean diagonal (${PRUNE_DEFAULT.damping})`,
    group: DATA,
    of: ['sparsegpt'],
  },
  blockSize: {
    kind: 'count',
    default: PRUNE_DEFAULT.blockSize,
    value: 'N',
    help: `--sparsegpt: columns pruned together (${PRUNE_DEFAULT.blockSize})`,
    group: DATA,
    of: ['sparsegpt'],
  },
  resume: { ...RESUME_ROWS.resume, group: DATA, of: BY_DATA },
  norm: {
    kind: 'choice',
    choices: CHANNEL_NORMS,
    default: 'l1',
    value: 'NORM',
    help: 'rank channels by the l1 (default) or l2 norm of the weights that read them; wanda: times activation norm',
    group: CHANNELS,
    of: ['channels'],
  },
  roundTo: {
    kind: 'count',
    default: PRUNE_DEFAULT.roundTo,
    value: 'N',
    help: `keep a multiple of this many channels, for fast kernels (${PRUNE_DEFAULT.roundTo}); 1 means exactly AMOUNT`,
    group: CHANNELS,
    of: ['channels'],
  },
  reconstruct: {
    kind: 'flag',
    default: false,
    help: 'with --calibrate: refit the layers that read removed channels by least squares',
    group: CHANNELS,
    of: ['channels'],
  },
  normalized: {
    kind: 'flag',
    default: false,
    help: 'also remove features that LayerNormalization reads, which changes its mean and variance',
    group: CHANNELS,
    of: ['channels'],
  },
  allowEmpty: {
    kind: 'flag',
    default: false,
    help: 'allow a layer to lose all its weights',
    group: FINE,
    of: [...SINGLE, 'random', 'structured', 'nm', 'mask'],
  },
};

export const PRUNE: Table<PruneValues> = {
  positionals: { model: MODELS },
  rows: {
    ...METHOD_ROWS,
    ...DETAIL_ROWS,
    allowUnchanged: { kind: 'flag', help: 'accept a model without weights to prune', group: FINE },
    ...selectionRows(PRUNABLE_OPS),
    ...STORE_ROWS,
    ...STEP_ROWS,
  },
  check: checkMethod,
};

/** An example of each method, for hints. */
const EXAMPLES: { readonly [method in Method]: string } = {
  l1: '`l1: 0.4`',
  l2: '`l2: 0.4`',
  random: '`random: 0.4`',
  structured: '`structured: l1` `amount: 0.3`',
  nm: '`nm: 2:4`',
  mask: '`mask: masks.npz`',
  wanda: '`wanda: 0.5` `calibrate: calib.npz`',
  sparsegpt: '`sparsegpt: 0.5` `calibrate: calib.npz`',
  channels: '`channels: 0.3`',
};

/** The chosen method; if there are only scores or amounts by name, `l1`. */
export function methodOf(given: Partial<PruneValues>): Method {
  // Next to a method that uses data, N:M is the pattern of its sparsity.
  const patterned = given.wanda ?? given.sparsegpt;
  const methods = (Object.keys(METHOD_ROWS) as Method[]).filter(
    (one) => given[one] !== undefined && (one !== 'nm' || patterned === undefined),
  );
  const [method, other] = methods;
  if (method !== undefined && other === undefined) return method;
  if (method === undefined && (given.scores !== undefined || given.amounts !== undefined)) return 'l1';
  const examples = Object.values(EXAMPLES);
  const hint = `Choose one: ${examples.slice(0, -1).join(', ')} or ${examples.at(-1)}.`;
  if (method === undefined) throw new CompressError('options', 'prune', 'a method is required', { hint });
  throw togetherError(methods, hint);
}

/**
 * Requires exactly one method, and refuses options that belong to another one.
 * @throws CompressError `options`
 */
function checkMethod(given: Partial<PruneValues>): void {
  const method = methodOf(given);
  const implied = given[method] === undefined;
  for (const [key, row] of Object.entries<Option>(DETAIL_ROWS)) {
    const fits = row.of?.includes(method) || (implied && key === 'amount');
    if (given[key as keyof DetailValues] !== undefined && !fits) throw strayDetail(key, method, given);
  }
  checkCompany(given);
}

function strayDetail(stray: string, method: Method, given: Partial<PruneValues>): CompressError {
  if (stray === 'scope' && method === 'structured') {
    const hint = 'Leave out `scope`, so that slices are chosen per weight.';
    return new CompressError('options', 'scope', 'slices of different layers cannot be compared', { hint });
  }
  const others = (DETAIL_ROWS[stray as keyof DetailValues].of ?? []).map((one) => `\`${one}\``);
  const hint =
    stray === 'amount' && SINGLE.includes(method)
      ? `\`${method}\` takes its amount directly: \`${method}: ${given[method]}\`.`
      : `It applies to ${others.join(', ')}.`;
  return new CompressError('options', stray, `\`${method}\` does not use it`, { hint });
}
