import type { Argv } from 'yargs';
import { CHANNEL_DEFAULTS, CHANNEL_NORMS, type ChannelNorm } from '../../../passes/channels/options.ts';
import { SPARSEGPT_DEFAULTS } from '../../../passes/importance/options.ts';
import { PRUNABLE_OPS, PRUNE_DEFAULTS } from '../../../passes/prune/index.ts';
import {
  type CommonArguments,
  type SelectionArguments,
  type StoreArguments,
  selectionArguments,
  stepArguments,
  storeArgument,
} from '../../arguments.ts';

/** Norms, or chance, that slices are chosen by. */
export const STRUCTURED = ['l1', 'l2', 'linf', 'random'] as const;

/** The arguments of `compress prune`; undefined where not given. */
export interface PruneArguments extends CommonArguments, SelectionArguments, StoreArguments {
  l1: string | undefined;
  l2: string | undefined;
  random: string | undefined;
  structured: (typeof STRUCTURED)[number] | undefined;
  nm: string | undefined;
  wanda: string | undefined;
  channels: string | undefined;
  norm: ChannelNorm | undefined;
  roundTo: string | undefined;
  reconstruct: boolean | undefined;
  normalized: boolean | undefined;
  sparsegpt: string | undefined;
  mask: string | undefined;
  amount: string | undefined;
  amounts: string | undefined;
  axis: string | undefined;
  scores: string | undefined;
  layout: 'onnx' | 'torch' | undefined;
  scope: 'tensor' | 'global' | undefined;
  of: 'all' | 'remaining' | undefined;
  seed: string | undefined;
  calibrate: string | undefined;
  samples: string | undefined;
  batch: string | undefined;
  parallelLayers: boolean | undefined;
  damping: string | undefined;
  blockSize: string | undefined;
  allowEmpty: boolean | undefined;
  allowUnchanged: boolean | undefined;
}

/** Adds every option of the verb. */
export function pruneArguments(yargs: Argv): Argv<PruneArguments> {
  const text = { type: 'string', requiresArg: true } as const;
  const own = channels(withData(details(methods(yargs, text), text), text), text)
    .option('allow-empty', { type: 'boolean', describe: 'a layer may lose all its weights' })
    .option('allow-unchanged', { type: 'boolean', describe: 'a model without weights to prune is no error' })
    .group(['allow-empty', 'allow-unchanged'], 'What is no error:');
  return stepArguments(storeArgument(selectionArguments(own, PRUNABLE_OPS))) as unknown as Argv<PruneArguments>;
}

type Text = { readonly type: 'string'; readonly requiresArg: true };

function methods(yargs: Argv, text: Text): Argv {
  return yargs
    .option('l1', { ...text, describe: 'the smallest weights; AMOUNT is a fraction (0.4) or a number (5000)' })
    .option('l2', { ...text, describe: 'the smallest by their squares: for single weights the same choice as --l1' })
    .option('random', { ...text, describe: 'weights chosen by chance' })
    .option('structured', {
      choices: STRUCTURED,
      requiresArg: true,
      describe: 'whole slices along --axis, the smallest by this norm or chosen by chance; --amount tells how many',
    })
    .option('nm', { ...text, describe: 'N:M: of every M neighbouring inputs keep the N largest weights, as 2:4' })
    .option('mask', {
      ...text,
      describe: 'what a file tells (.npz, .safetensors): 0 prunes, 1 keeps, by the names of the weights',
    })
    .option('wanda', {
      ...text,
      describe: 'the smallest by weight times activation, in each output; AMOUNT is a fraction; needs --calibrate',
    })
    .option('sparsegpt', {
      ...text,
      describe: 'what the other weights can best make up for, and changes these so; needs --calibrate',
    })
    .option('channels', {
      ...text,
      describe: 'whole channels are removed, not zeroed: the model becomes smaller and faster; AMOUNT is a fraction',
    })
    .group(
      ['l1', 'l2', 'random', 'structured', 'nm', 'mask', 'wanda', 'sparsegpt', 'channels'],
      'How to prune (one method is needed):',
    );
}

function details(yargs: Argv, text: Text): Argv {
  return yargs
    .option('amount', {
      ...text,
      describe: 'for --structured: fraction (0.3) or number (8) of the slices of each weight',
    })
    .option('amounts', {
      ...text,
      describe: 'a JSON file with amounts by name or regular expression: {"fc1.weight": 0.3, "conv": 0.5}',
    })
    .option('axis', {
      ...text,
      describe: 'out (the default): output channels; in: inputs; or an axis of the weight as stored, 0, 1, -1',
    })
    .option('scores', {
      ...text,
      describe: 'a file (.npz, .safetensors) with the importance of each weight, used in place of its magnitude',
    })
    .option('layout', {
      choices: ['onnx', 'torch'] as const,
      requiresArg: true,
      describe: 'matrices in --mask and --scores lie as the model stores them (onnx), or as [out, in] (torch)',
    })
    .option('scope', {
      choices: ['tensor', 'global'] as const,
      requiresArg: true,
      describe: 'tensor (the default): AMOUNT of each tensor; global: of all weights together',
    })
    .option('of', {
      choices: ['all', 'remaining'] as const,
      requiresArg: true,
      describe: 'all (the default): AMOUNT of all weights; remaining: of those that are not zero yet',
    })
    .option('seed', {
      ...text,
      describe: `whole number that decides what is random, the same on every machine (${PRUNE_DEFAULTS.seed})`,
    })
    .group(['amount', 'amounts', 'axis', 'scores', 'layout', 'scope', 'of', 'seed'], 'How much, and of what:');
}

function withData(yargs: Argv, text: Text): Argv {
  return yargs
    .option('calibrate', { ...text, describe: 'inputs of the model: .npz, .npy, .json, a folder (docs/data.md)' })
    .option('samples', { ...text, describe: 'use the first N rows' })
    .option('batch', { ...text, describe: 'feed N rows at once (what the model fixes, or 1)' })
    .option('parallel-layers', {
      type: 'boolean',
      describe: 'all layers see the unpruned model: fewer runs over the data',
    })
    .option('damping', {
      ...text,
      describe: `--sparsegpt: added to the Hessian, as a fraction of its mean diagonal (${SPARSEGPT_DEFAULTS.damping})`,
    })
    .option('block-size', {
      ...text,
      describe: `--sparsegpt: columns whose weights are chosen together (${SPARSEGPT_DEFAULTS.blockSize})`,
    })
    .group(
      ['calibrate', 'samples', 'batch', 'parallel-layers', 'damping', 'block-size'],
      'With data (needs onnxruntime-node):',
    );
}

function channels(yargs: Argv, text: Text): Argv {
  return yargs
    .option('norm', {
      choices: CHANNEL_NORMS,
      requiresArg: true,
      describe: 'order by: l1 (the default) or l2 of the weights that read a channel; wanda: times its activations',
    })
    .option('round-to', {
      ...text,
      describe: `what is left of a layer is a multiple of this (${CHANNEL_DEFAULTS.roundTo}), as kernels like it; 1: exactly AMOUNT`,
    })
    .option('reconstruct', {
      type: 'boolean',
      describe: 'with --calibrate: refit the layers that read removed channels by least squares',
    })
    .option('normalized', {
      type: 'boolean',
      describe: 'features under LayerNormalization may go too, though its mean and variance change',
    })
    .group(['norm', 'round-to', 'reconstruct', 'normalized'], 'With --channels:');
}
