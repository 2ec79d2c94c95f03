import { CompressError } from '../../errors.ts';
import { methodOf } from '../../options/prune.ts';
import type { PruneValues } from '../../options/pruneValues.ts';
import { defined, pairOf } from '../../options/values.ts';
import type { Pass } from '../../passes/pass.ts';
import { type PruneOptions, prune } from '../../passes/prune/index.ts';
import { readSelection } from './selection.ts';
import type { StepRun } from './stepRun.ts';

/**
 * Creates the pass for these values.
 * @throws CompressError `options` if values do not fit the method; `data` and `io` if a file it needs is broken
 */
export async function pruningPass(values: PruneValues, run: StepRun): Promise<Pass> {
  const method = methodOf(values);
  switch (method) {
    case 'l1':
    case 'l2':
    case 'random':
      return single(method, values);
    case 'structured':
      return structured(values);
    case 'nm': {
      const [keep, group] = pairOf(values.nm as string);
      return prune({ ...(await common(values)), method: 'l1', nm: { keep, group } });
    }
    case 'mask':
      return prune({ ...(await common(values)), method: 'mask', masks: await arraysOf(values.mask as string) });
    case 'wanda':
    case 'sparsegpt':
      return (await import('./importanceValues.ts')).importancePass(method, values, run);
    case 'channels':
      return (await import('./channelValues.ts')).channelPass(values, run);
  }
}

async function single(method: 'l1' | 'l2' | 'random', values: PruneValues): Promise<Pass> {
  const amount = values[method] ?? values.amount;
  const { scope } = values;
  return prune({
    ...(await common(values)),
    ...(await amountsOf(amount, values)),
    method,
    ...defined({ scope }),
  });
}

async function structured(values: PruneValues): Promise<Pass> {
  if (values.amount === undefined && values.amounts === undefined) {
    throw new CompressError('options', 'structured', 'no amount is given', {
      hint: 'Give the slices to prune: `amount: 0.3`, or `amount: 8`.',
    });
  }
  if (values.structured === 'random' && values.scores !== undefined) {
    throw new CompressError('options', 'scores', 'random pruning uses no scores', {
      hint: 'Leave out one of the two.',
    });
  }
  return prune({
    ...(await common(values)),
    ...(await amountsOf(values.amount, values)),
    method: values.structured ?? 'l1',
    axis: values.axis ?? 'out',
  });
}

/** The options of every method. */
async function common(values: PruneValues): Promise<Omit<PruneOptions, 'method'>> {
  const { seed, of, layout } = values;
  return {
    allowEmpty: values.allowEmpty === true,
    ...readSelection(values),
    ...defined({ seed, of, layout }),
    ...(values.scores === undefined ? {} : { scores: await arraysOf(values.scores) }),
  };
}

async function amountsOf(
  amount: number | undefined,
  values: PruneValues,
): Promise<Pick<PruneOptions, 'amount' | 'amounts'>> {
  if (amount === undefined && values.amounts === undefined) {
    throw new CompressError('options', 'amount', 'is required', { hint: 'Give an amount: `amount: 0.4`.' });
  }
  return {
    ...defined({ amount }),
    ...(values.amounts === undefined
      ? {}
      : { amounts: await (await import('./amounts.ts')).readAmounts(values.amounts) }),
  };
}

async function arraysOf(path: string): ReturnType<typeof import('../data/arrays.ts').openArrays> {
  return (await import('../data/arrays.ts')).openArrays(path);
}
