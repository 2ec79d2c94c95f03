import type { Argv } from 'yargs';
import { CompressError } from '../errors.ts';
import { CHANNEL_DEFAULTS, CHANNEL_NORMS, type ChannelNorm } from '../passes/channels/options.ts';
import type { Pass } from '../passes/pass.ts';
import { type CommonArguments, readSelection, type SelectionArguments } from './arguments.ts';
import { parsePositive } from './parse.ts';
import { progress } from './progress.ts';

/** Arguments of `prune --channels`; undefined where not given. */
export interface ChannelArguments {
  channels: string | undefined;
  norm: ChannelNorm | undefined;
  roundTo: string | undefined;
  calibrate: string | undefined;
  samples: string | undefined;
  batch: string | undefined;
  reconstruct: boolean | undefined;
  normalized: boolean | undefined;
}

const OWN = ['channels', 'norm', 'round-to', 'calibrate', 'samples', 'batch', 'reconstruct', 'normalized'] as const;

/** Adds --channels and what goes with it. */
export function channelArguments<T>(yargs: Argv<T>): Argv<T & ChannelArguments> {
  const text = { type: 'string', requiresArg: true } as const;
  return yargs
    .option('channels', {
      ...text,
      describe:
        'remove whole channels, and what reads them: the model becomes smaller and faster; AMOUNT is a fraction',
    })
    .option('norm', {
      choices: CHANNEL_NORMS,
      describe: `how channels are ordered: l1 (the default) or l2 of the weights that read them; wanda: times their activations`,
    })
    .option('round-to', {
      ...text,
      describe: `what is left of a layer is a multiple of this (${CHANNEL_DEFAULTS.roundTo}), as kernels like it; 1: exactly AMOUNT`,
    })
    .option('calibrate', {
      ...text,
      describe: 'inputs of the model (.npz, .npy, .json, a folder): biases take in the mean of what is removed',
    })
    .option('reconstruct', {
      type: 'boolean',
      describe: 'with --calibrate: refit the layers that read removed channels by least squares',
    })
    .option('samples', { ...text, describe: 'calibrate with the first N rows' })
    .option('batch', { ...text, describe: 'feed N rows at once' })
    .option('normalized', {
      type: 'boolean',
      describe: 'features under LayerNormalization may go too, though its mean and variance change',
    })
    .group([...OWN], 'Channels:') as unknown as Argv<T & ChannelArguments>;
}

/**
 * The pass that --channels asks for.
 * @throws CompressError `options`
 */
export async function channelPass(
  args: ChannelArguments & CommonArguments & SelectionArguments & { readonly scope: 'tensor' | 'global' },
): Promise<Pass> {
  const { calibrate, norm, roundTo, samples, batch } = args;
  const amount = Number(args.channels);
  if (!(amount > 0 && amount < 1)) {
    throw new CompressError('options', '--channels', `'${args.channels}' is no fraction between 0 and 1`, {
      hint: 'For example --channels 0.3: the least important 30 % of the channels of each layer.',
    });
  }
  const needs = norm === 'wanda' ? '--norm wanda' : args.reconstruct ? '--reconstruct' : undefined;
  const idle = samples !== undefined ? '--samples' : batch !== undefined ? '--batch' : undefined;
  if (calibrate === undefined && (needs ?? idle) !== undefined) {
    throw new CompressError('options', (needs ?? idle) as string, 'needs data to run the model on', {
      hint: 'Give inputs of the model: --calibrate FILE.',
    });
  }
  const { checkedChannels } = await import('./channels.ts');
  return checkedChannels(
    {
      amount,
      norm: norm ?? CHANNEL_DEFAULTS.norm,
      scope: args.scope === 'global' ? 'global' : 'group',
      roundTo: roundTo === undefined ? CHANNEL_DEFAULTS.roundTo : parsePositive('round-to', roundTo),
      reconstruct: args.reconstruct === true,
      normalized: args.normalized === true,
      ...readSelection(args),
    },
    {
      data: calibrate,
      samples: samples === undefined ? undefined : parsePositive('samples', samples),
      batch: batch === undefined ? undefined : parsePositive('batch', batch),
      describeGroups: args.verbose ? 'all' : args.dryRun ? 'some' : 'none',
      onProgress: progress('calibrating', args.quiet === true),
    },
  );
}

/** Refuses what goes only with --channels where that is not given. */
export function refuseChannelOptions(args: ChannelArguments): void {
  const given: readonly (readonly [string, unknown])[] = [
    ['--norm', args.norm],
    ['--round-to', args.roundTo],
    ['--calibrate', args.calibrate],
    ['--reconstruct', args.reconstruct],
    ['--samples', args.samples],
    ['--batch', args.batch],
    ['--normalized', args.normalized],
  ];
  const [name] = given.find(([, value]) => value !== undefined && value !== false) ?? [];
  if (name === undefined) return;
  throw new CompressError('options', name, 'goes with --channels', { hint: 'Remove channels: --channels 0.3.' });
}
