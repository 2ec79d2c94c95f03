import { CompressError } from '../../../errors.ts';
import type { Pass } from '../../../passes/pass.ts';
import { type PruneOptions, prune } from '../../../passes/prune/index.ts';
import { readSelection } from '../../arguments.ts';
import { parseAmount, parseWhole } from '../../parse.ts';
import type { PruneArguments } from './flags.ts';
import { readAmounts } from './readAmounts.ts';

/** Options that belong to some methods only. */
const DETAILS = [
  ...(['amount', 'amounts', 'axis', 'scores', 'layout', 'scope', 'of', 'seed', 'allowEmpty'] as const),
  ...(['calibrate', 'samples', 'batch', 'parallelLayers', 'damping', 'blockSize'] as const),
  ...(['norm', 'roundTo', 'reconstruct', 'normalized'] as const),
] as const;
type Detail = (typeof DETAILS)[number];

/** A way to choose what is pruned: exactly one is given. */
interface Method {
  /** The option that chooses it. */
  readonly flag: 'l1' | 'l2' | 'random' | 'structured' | 'nm' | 'mask' | 'wanda' | 'sparsegpt' | 'channels';
  /** How it is written, for hints. */
  readonly example: string;
  /** The options it takes besides. */
  readonly details: readonly Detail[];
  readonly pass: (args: PruneArguments) => Promise<Pass>;
}

const SINGLE: readonly Detail[] = ['amounts', 'scores', 'layout', 'scope', 'of', 'allowEmpty'];

const DATA: readonly Detail[] = ['calibrate', 'samples', 'batch', 'parallelLayers'];

const METHODS: readonly Method[] = [
  { flag: 'l1', example: '--l1 0.4', details: SINGLE, pass: (args) => single('l1', args) },
  { flag: 'l2', example: '--l2 0.4', details: SINGLE, pass: (args) => single('l2', args) },
  {
    flag: 'random',
    example: '--random 0.4',
    details: ['amounts', 'scope', 'of', 'seed', 'allowEmpty'],
    pass: (args) => single('random', args),
  },
  {
    flag: 'structured',
    example: '--structured l1 --amount 0.3',
    details: ['amount', 'amounts', 'axis', 'scores', 'layout', 'of', 'seed', 'allowEmpty'],
    pass: structured,
  },
  { flag: 'nm', example: '--nm 2:4', details: ['scores', 'layout', 'allowEmpty'], pass: groups },
  { flag: 'mask', example: '--mask masks.npz', details: ['layout', 'allowEmpty'], pass: masked },
  { flag: 'wanda', example: '--wanda 0.5 --calibrate calib.npz', details: DATA, pass: byData },
  {
    flag: 'sparsegpt',
    example: '--sparsegpt 0.5 --calibrate calib.npz',
    details: [...DATA, 'damping', 'blockSize'],
    pass: byData,
  },
  {
    flag: 'channels',
    example: '--channels 0.3',
    details: ['scope', 'calibrate', 'samples', 'batch', 'norm', 'roundTo', 'reconstruct', 'normalized'],
    pass: async (args) => (await import('../../channelPass.ts')).channelPass(args),
  },
];

/** Without a method, scores or amounts by name mean `--l1`. */
const IMPLIED: Method = {
  flag: 'l1',
  example: '',
  details: ['amount', ...SINGLE],
  pass: (args) => single('l1', { ...args, l1: args.amount }),
};

/**
 * The pass that the arguments ask for.
 * @throws CompressError `options` unless one method is given, with options that belong to it; `data` and `io` where a
 *   file it needs is broken
 */
export function pruningPass(args: PruneArguments): Promise<Pass> {
  // Beside a method with data, N:M says what its share is made of.
  const patterned = args.wanda ?? args.sparsegpt;
  const given = METHODS.filter((one) => args[one.flag] !== undefined && (one.flag !== 'nm' || patterned === undefined));
  const implied = args.scores !== undefined || args.amounts !== undefined ? IMPLIED : undefined;
  const method = given[0] ?? implied;
  if (method === undefined || given.length > 1) {
    const names = given.map((one) => `--${one.flag}`);
    const fact = method === undefined ? 'no method is given' : `${names.join(' and ')} cannot be used together`;
    const examples = METHODS.map((one) => one.example);
    const hint = `Choose one: ${examples.slice(0, -1).join(', ')} or ${examples.at(-1)}.`;
    throw new CompressError('options', 'prune', fact, { hint });
  }
  const stray = DETAILS.find((one) => args[one] !== undefined && !method.details.includes(one));
  if (stray !== undefined) throw strayDetail(stray, method, args);
  checkCompany(args);
  return method.pass(args);
}

/** Refuses what is used only beside another option that is not there. */
function checkCompany({ seed, structured, layout, scores, mask }: PruneArguments): void {
  if (seed !== undefined && structured !== undefined && structured !== 'random') {
    const hint = 'It goes with --random and --structured random.';
    throw new CompressError('options', '--seed', `--structured ${structured} leaves nothing to chance`, { hint });
  }
  if (layout !== undefined && scores === undefined && mask === undefined) {
    const hint = 'It goes with --scores FILE and --mask FILE.';
    throw new CompressError('options', '--layout', 'no file is given whose arrays lie in some way', { hint });
  }
}

function strayDetail(stray: Detail, { flag }: Method, args: PruneArguments): CompressError {
  if (stray === 'scope' && flag === 'structured') {
    const hint = 'Leave --scope out: every weight then loses slices of its own.';
    return new CompressError('options', '--scope', 'slices of different layers have no common measure', { hint });
  }
  const others = METHODS.filter((one) => one.details.includes(stray)).map((one) => `--${one.flag}`);
  const amount = args[flag] ?? '';
  const hint =
    stray === 'amount' && SINGLE === METHODS.find((one) => one.flag === flag)?.details
      ? `--${flag} has its amount beside it: --${flag} ${amount}.`
      : `It goes with ${others.join(', ')}.`;
  return new CompressError('options', `--${kebab(stray)}`, `--${flag} does not use it`, { hint });
}

async function single(method: 'l1' | 'l2' | 'random', args: PruneArguments): Promise<Pass> {
  const given = args[method];
  const option = given === args.amount ? 'amount' : method;
  return prune({
    ...(await common(args)),
    ...(await amountsOf(given, option, args, 'weights')),
    method,
    scope: args.scope ?? 'tensor',
  });
}

async function structured(args: PruneArguments): Promise<Pass> {
  if (args.amount === undefined && args.amounts === undefined) {
    throw new CompressError('options', '--structured', 'no amount is given', {
      hint: 'Say how many slices: --amount 0.3, or --amount 8.',
    });
  }
  if (args.structured === 'random' && args.scores !== undefined) {
    throw new CompressError('options', '--scores', 'chance asks for no scores', { hint: 'Leave out one of the two.' });
  }
  return prune({
    ...(await common(args)),
    ...(await amountsOf(args.amount, 'amount', args, 'slices')),
    method: args.structured ?? 'l1',
    axis: parseAxis(args.axis ?? 'out'),
  });
}

async function groups(args: PruneArguments): Promise<Pass> {
  const pair = /^(\d{1,9}):(\d{1,9})$/.exec(args.nm?.trim() ?? '');
  if (pair === null) {
    const hint = '--nm 2:4 keeps 2 of every 4 weights.';
    throw new CompressError('options', '--nm', `'${args.nm}' is no pair N:M of whole numbers`, { hint });
  }
  return prune({ ...(await common(args)), method: 'l1', nm: { keep: Number(pair[1]), group: Number(pair[2]) } });
}

async function masked(args: PruneArguments): Promise<Pass> {
  return prune({ ...(await common(args)), method: 'mask', masks: await arraysOf(args.mask as string) });
}

/** What every method takes. */
async function common(args: PruneArguments): Promise<Omit<PruneOptions, 'method'>> {
  return {
    seed: parseWhole('seed', args.seed ?? '0'),
    of: args.of ?? 'all',
    allowEmpty: args.allowEmpty === true,
    ...readSelection(args),
    ...(args.layout === undefined ? {} : { layout: args.layout }),
    ...(args.scores === undefined ? {} : { scores: await arraysOf(args.scores) }),
  };
}

async function amountsOf(
  given: string | undefined,
  option: string,
  args: PruneArguments,
  things: string,
): Promise<Pick<PruneOptions, 'amount' | 'amounts'>> {
  if (given === undefined && args.amounts === undefined) {
    throw new CompressError('options', '--amount', 'none is given', { hint: 'Say how much: --amount 0.4.' });
  }
  return {
    ...(given === undefined ? {} : { amount: parseAmount(option, given, things) }),
    ...(args.amounts === undefined ? {} : { amounts: await readAmounts(args.amounts) }),
  };
}

async function arraysOf(path: string): ReturnType<typeof import('../../../node/data/arrays.ts').openArrays> {
  return (await import('../../../node/data/arrays.ts')).openArrays(path);
}

function parseAxis(text: string): number | 'out' | 'in' {
  if (text === 'out' || text === 'in') return text;
  if (/^-?\d{1,3}$/.test(text.trim())) return Number(text);
  throw new CompressError('options', '--axis', `'${text}' is neither out, in nor a whole number`);
}

async function byData(args: PruneArguments): Promise<Pass> {
  return (await import('../../importance.ts')).importancePass(args);
}

function kebab(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
