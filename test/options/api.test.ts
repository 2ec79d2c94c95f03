/** The library refuses what the command line refuses: misspelt options, invalid choices, values of a wrong type. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import {
  bench,
  checkGates,
  convert,
  diff,
  fittingRandomData,
  fold,
  inspect,
  openData,
  openJudge,
  pack,
  planModel,
  prune,
  quantize,
  quantizeStatic,
  randomData,
  readModel,
  removeChannels,
  searchFloatLayers,
  sparsegpt,
  verify,
  wanda,
  writeModel,
} from '../../src/index.node.ts';
import * as core from '../../src/index.ts';

// Like a JavaScript program, which no compiler checks.
const anything = (value: unknown): never => value as never;

test.each<[string, () => unknown, string]>([
  [
    'a misspelt option',
    () => quantize(anything({ weightOnly: true })),
    "quantize: there is no option 'weightOnly'. Did you mean 'weightsOnly'?",
  ],
  ['an unknown one', () => quantize(anything({ bananas: 1 })), "quantize: there is no option 'bananas'."],
  [
    'the case of a word',
    () => prune(anything({ method: 'L1', amount: 0.4 })),
    'method: \'L1\' is not one of "l1", "l2", "linf", "random", "mask". Did you mean \'l1\'?',
  ],
  [
    'the case of another',
    () => prune(anything({ method: 'l1', amount: 0.4, scope: 'Global' })),
    'scope: \'Global\' is not one of "tensor", "global". Did you mean \'global\'?',
  ],
  ['a type there is not', () => quantize(anything({ dtype: 'int4' })), 'dtype: \'int4\' is not one of "int8", "uint8"'],
  [
    'text for patterns',
    () => quantize(anything({ exclude: 'fc1' })),
    'exclude: expects a list of regular expressions; a string was given',
  ],
  [
    'texts for patterns',
    () => prune(anything({ method: 'l1', amount: 0.4, include: ['fc1'] })),
    'include: expects a list of regular expressions; a list of strings was given',
  ],
  [
    'a number as text',
    () => prune(anything({ method: 'l1', amount: '0.4' })),
    'amount: expects a number; a string was',
  ],
  [
    'a seed as text',
    () => prune(anything({ method: 'random', amount: 0.4, seed: 'x' })),
    'seed: expects a number; a string',
  ],
  [
    'an axis there is not',
    () => prune(anything({ method: 'l1', amount: 1, axis: 'row' })),
    "axis: 'row' is neither out, in nor a whole number",
  ],
  ['no options', () => prune(anything(undefined)), 'prune: expects options; nothing was given'],
  ['something else', () => convert(anything(21)), 'convert: expects options; a number was given'],
  [
    'a misspelt flag',
    () => convert(anything({ opset: 21, forced: true })),
    "convert: there is no option 'forced'. Did",
  ],
  [
    'a rule there is not',
    () => fold(anything({ rules: ['chain'] })),
    'rules: \'chain\' is not one of "constants", "identities"',
  ],
  [
    'a text as a flag',
    () => pack(anything({ optional: 'yes' })),
    'optional: expects true or false; a string was given',
  ],
  [
    'a norm there is not',
    () => removeChannels(anything({ amount: 0.3, norm: 'L2' })),
    'norm: \'L2\' is not one of "l1", "l2", "wanda". Did you mean \'l2\'?',
  ],
  [
    'a type of activations there is not',
    () => quantizeStatic(anything({ ranges: new Map(), activations: 'int4' })),
    'activations: \'int4\' is not one of "uint8", "int8"',
  ],
])('%s', (_, call, message) => {
  expect(call).toThrow(expect.objectContaining({ name: 'CompressError', code: 'options' }));
  expect(call).toThrow(message);
});

test('an undefined option counts as absent', () => {
  expect(quantize({ dtype: undefined, exclude: undefined } as never).name).toBe('quantize');
});

test.each<[string, () => unknown, string]>([
  ['wanda', () => wanda(anything({ amount: 1.5 }), anything({})), 'amount: 1.5 is not a fraction between 0 and 1'],
  [
    'wanda, misspelt',
    () => wanda(anything({ amount: 0.5, paralel: true }), anything({})),
    "wanda: there is no option 'paralel'. Did you mean 'parallel'?",
  ],
  [
    'wanda, patterns',
    () => wanda(anything({ amount: 0.5, exclude: 'fc1' }), anything({})),
    'exclude: expects a list of regular expressions; a string was given',
  ],
  [
    'sparsegpt',
    () => sparsegpt(anything({ amount: 0.5, blockSize: 0 }), anything({})),
    'blockSize: it must be at least 1',
  ],
  [
    'checkGates',
    () => checkGates(anything({}), anything({ minTop1: 99 })),
    'minTop1: 99 is not a fraction from 0 to 1',
  ],
  ['quantize', () => quantize({ minElements: -1 }), 'minElements: -1 is not a whole number'],
  [
    'what excludes each other',
    () => quantize({ weightsOnly: true, format: 'qoperator' }),
    'format: qoperator needs integer activations, but `weightsOnly` keeps them float',
  ],
])('%s: the message is that of the command line, without dashes', (_, call, message) => {
  expect(call).toThrow(expect.objectContaining({ name: 'CompressError', code: 'options' }));
  expect(call).toThrow(message);
});

test.each<[string, () => Promise<unknown>, string]>([
  ['verify', () => verify('a', 'b', anything(undefined), anything({ metric: 'f1' })), "metric: 'f1' is not one of"],
  ['openJudge', () => openJudge('a', anything(undefined), anything({ output: ['y'] })), "no option 'output'. Did you"],
  ['bench', () => bench(['a'], anything(undefined), anything({ runs: 0 })), 'runs: it must be at least 1'],
  [
    'bench, a list',
    () => bench(['a'], anything(undefined), anything({ batches: 2 })),
    'batches: expects a list of numbers',
  ],
  ['openData', () => openData('a', [], anything({ samples: 'x' })), 'samples: expects a number; a string was given'],
  [
    'readModel',
    () => readModel('a', anything({ databeside: 'b' })),
    "readModel: there is no option 'databeside'. Did you mean 'dataBeside'?",
  ],
  [
    'readModel, a path',
    () => readModel('a', anything({ dataBeside: 7 })),
    'dataBeside: expects text; a number was given',
  ],
  [
    'writeModel',
    () => writeModel(anything({}), 'a', anything({ data: 'External' })),
    'data: \'External\' is not one of "auto", "external", "embed". Did you mean \'external\'?',
  ],
  [
    'writeModel, misspelt',
    () => writeModel(anything({}), 'a', anything({ overwrit: true })),
    "writeModel: there is no option 'overwrit'. Did you mean 'overwrite'?",
  ],
  [
    'writeModel of the core',
    () => core.writeModel(anything({}), anything({}), anything({ overwrite: true })),
    'no option',
  ],
  ['readModel of the core', () => core.readModel(new Uint8Array(), anything({ dataBeside: 'b' })), 'no option'],
  ['planModel', async () => planModel(anything({}), anything({ mode: 'inside' })), "mode: 'inside' is not one of"],
  ['randomData', async () => randomData([], anything({ seed: 1, samples: 0.5 })), 'samples: 0.5 is not a whole number'],
  ['randomData without a seed', async () => randomData([], anything({})), 'seed: is required'],
  [
    'fittingRandomData',
    () => fittingRandomData([], anything({ seed: 1, sample: 3 }), anything(undefined)),
    "fittingRandomData: there is no option 'sample'. Did you mean 'samples'?",
  ],
  [
    'searchFloatLayers',
    () => searchFloatLayers([], anything({ evaluate: () => 0, enough: () => true, maxTrials: 0 })),
    'maxTrials: it must be at least 1',
  ],
  ['searchFloatLayers, half', () => searchFloatLayers([], anything({ enough: () => true })), 'evaluate: is required'],
  ['inspect', () => inspect(anything({}), anything({ weight: true })), "no option 'weight'. Did you mean 'weights'?"],
  [
    'diff',
    () => diff(anything({}), anything({}), anything({ bins: '4' })),
    'bins: expects a number; a string was given',
  ],
])('%s refuses invalid options before it begins', async (_, call, message) => {
  await expect(call()).rejects.toThrow(message);
});

test('messages of the library name options by key, without dashes', () => {
  const root = new URL('../../src', import.meta.url).pathname;
  const own = (readdirSync(root, { recursive: true }) as string[]).filter(
    (path) => path.endsWith('.ts') && !/^(cli|options)\//.test(path),
  );
  const flags = own.flatMap((path) =>
    readFileSync(join(root, path), 'utf8')
      .split('\n')
      .filter((line) => /['"` (/]--[a-z]/.test(line) && !/npm install|setFlagsFromString/.test(line))
      .map((line) => `${path}: ${line.trim()}`),
  );
  expect(flags.filter((one) => !/--\w+ ===/.test(one))).toEqual([]);
});
