import { CompressError } from '../errors.ts';
import { CHANNEL_DEFAULTS, type ChannelNorm } from '../passes/channels/options.ts';
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

/**
 * The pass that --channels asks for.
 * @throws CompressError `options`
 */
export async function channelPass(
  args: ChannelArguments & CommonArguments & SelectionArguments & { readonly scope: 'tensor' | 'global' | undefined },
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
  if (calibrate === 'random') {
    throw new CompressError('options', '--calibrate', 'random inputs do not say how strong the channels are', {
      hint: 'Give real inputs; a file of that name is ./random.',
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
