import { CompressError } from '../../errors.ts';
import type { PruneValues } from '../../options/pruneValues.ts';
import { defined } from '../../options/values.ts';
import type { Pass } from '../../passes/pass.ts';
import { RANDOM } from './calibrationData.ts';
import { checkedChannels } from './channels.ts';
import { readSelection } from './selection.ts';
import type { StepRun } from './stepRun.ts';

/**
 * Creates the pass for `channels`.
 * @throws CompressError `options`
 */
export function channelPass(values: PruneValues, run: StepRun): Pass {
  const { calibrate, norm, roundTo, samples, batch } = values;
  const needs = norm === 'wanda' ? '`norm: wanda`' : values.reconstruct ? '`reconstruct`' : undefined;
  const idle = samples !== undefined ? '`samples`' : batch !== undefined ? '`batch`' : undefined;
  const lacking = needs ?? idle;
  if (calibrate === undefined && lacking !== undefined) {
    throw new CompressError('options', '', `${lacking}: needs data to run the model on`, {
      hint: 'Give inputs of the model: `calibrate: FILE`.',
    });
  }
  if (calibrate === RANDOM) {
    throw new CompressError('options', 'calibrate', 'random inputs do not show which channels matter', {
      hint: 'Give real inputs. For a file named random, write ./random.',
    });
  }
  return checkedChannels(
    {
      amount: values.channels as number,
      scope: values.scope === 'global' ? 'global' : 'group',
      ...defined({ norm, roundTo, reconstruct: values.reconstruct, normalized: values.normalized }),
      ...readSelection(values),
    },
    {
      data: calibrate,
      samples,
      batch,
      ...defined({ describeGroups: run.describeGroups, onProgress: run.progress?.('calibrating') }),
    },
  );
}
